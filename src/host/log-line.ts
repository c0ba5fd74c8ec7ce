/**
 * A line of the journal for people. Our programs write JSON (observe/log.ts), whose sentence comes last: on a screen of 80 columns,
 * and to somebody who is no programmer, it is not there at all. Here it comes first and its facts behind it; level and time stand
 * beside the line anyway. What others write stays as it is, and so does what is no whole JSON (the journal's answer is cut).
 */
const BESIDE = new Set(['level', 'time', 'name', 'msg']);

export function sentenceOf(message: string): string {
  const said = readObject(message);
  const sentence = said?.['msg'];
  if (said === undefined || typeof sentence !== 'string') return message;
  const facts = Object.entries(said)
    .filter(([key]) => !BESIDE.has(key))
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return [sentence, ...facts].join('  ');
}

function readObject(text: string): Record<string, unknown> | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
