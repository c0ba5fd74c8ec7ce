/** What every mail we write ourselves is put together of: encoded words, base64 in lines, dates. Pure. */

/** RFC 2045 §6.8: lines of at most 76 characters. */
export function wrapped(base64: string): string {
  return base64.replaceAll(/(.{76})(?=.)/g, '$1\r\n');
}

/** RFC 2047 §2: words of at most 64 characters (a line with its field name stays below 76), never cutting a character in two. */
export function encodeWords(text: string): string {
  if (/^[\u0020-\u007e]*$/.test(text)) return text;
  const words: string[] = [];
  let run = '';
  for (const character of text) {
    if (Buffer.byteLength(run + character) > 39) {
      words.push(run);
      run = '';
    }
    run += character;
  }
  words.push(run);
  return words.map((word) => `=?UTF-8?B?${Buffer.from(word).toString('base64')}?=`).join('\r\n ');
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** RFC 5322 §3.3, in UTC. */
export function mailDate(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${DAYS[date.getUTCDay()]}, ${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()}`;
  return `${day} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000`;
}
