/**
 * What a new password must be: long, not among the common ones, not the user's own name. No rules about kinds of characters,
 * which make passwords worse (NIST SP 800-63B §5.1.1.2). Pure.
 */
import type { Text } from '../../base/i18n.ts';

export const LEAST_LENGTH = 10;

/** Stems of the passwords most seen in leaks, English and Japanese; what is around them in digits and signs does not count. */
const COMMON = new Set(
  `password passw0rd passwort motdepasse contrasena qwerty qwertyuiop qwertyui asdfgh asdfghjkl zxcvbn zxcvbnm qazwsx qazwsxedc
   1qaz2wsx 1qaz2wsx3edc 1q2w3e4r 1q2w3e4r5t q1w2e3r4 q1w2e3r4t5 letmein welcome administrator admin adminadmin root
   rootroot toor changeme default secret master monkey dragon football baseball iloveyou sunshine princess superman batman
   trustno1 whatever starwars computer internet server office company network gateway mailserver mailgateway sekisho
   firewall security system manager operator support guest test testtest demo user username login letmeinplease abcdef
   abcdefg abcdefgh abcdefghij abc123 aaaaaa samsung google facebook michael jennifer jordan hunter shadow ninja mustang
   access flower hello helloworld freedom pokemon doraemon sakura sakurasakura nippon japan tokyo osaka kyoto nihon
   arigato konnichiwa himitsu pasuwado pasuwaado kaisha kanri kanrisha anpan gundam naruto onepiece totoro ichigo
   hanako tarou taro yamada suzuki tanaka satou watanabe aishiteru daisuki ぱすわーど パスワード ひみつ 秘密 管理者`
    .split(/\s+/)
    .filter((word) => word !== ''),
);

/** Undefined: good enough. Otherwise why not. */
export function passwordTrouble(password: string, user: string): Text | undefined {
  const length = Array.from(password).length;
  if (length < LEAST_LENGTH)
    return {
      ja: `${LEAST_LENGTH} 文字以上にしてください（今は ${length} 文字）。単語をいくつか並べると覚えやすく強くなります`,
      en: `Use at least ${LEAST_LENGTH} characters (now ${length}). A few words in a row are strong and easy to remember`,
    };
  const plain = password.normalize('NFKC').toLowerCase();
  const stem = plain.replaceAll(/[^\p{L}]+/gu, '');
  // signs at the ends are decoration, within they stand for letters: `P@ssw0rd!!`
  const core = plain.replace(/^[^\p{L}]+/u, '').replace(/[^\p{L}]+$/u, '');
  const letters = unleet(core).replaceAll(/[^\p{L}]+/gu, '');
  const known = [plain, stem, letters].some((form) => COMMON.has(form) || COMMON.has(halfOf(form)));
  if (known || isMonotonous(plain))
    return {
      ja: 'よく使われるパスワードです。攻撃者が最初に試すので、別のものにしてください',
      en: 'This is a common password, one of the first that attackers try; choose another',
    };
  if (user.length >= 3 && plain.replaceAll(user.toLowerCase(), '').length < LEAST_LENGTH - 4)
    return {
      ja: 'ユーザー名とほとんど同じです。別のものにしてください',
      en: 'This is little more than the user name; choose another',
    };
  return undefined;
}

function unleet(text: string): string {
  const marks: Readonly<Record<string, string>> = {
    '0': 'o',
    '1': 'i',
    '3': 'e',
    '4': 'a',
    '5': 's',
    '7': 't',
    '@': 'a',
    $: 's',
    '!': 'i',
  };
  return text.replaceAll(/[013457@$!]/g, (mark) => marks[mark] ?? mark);
}

/** `passwordpassword` → `password` */
function halfOf(text: string): string {
  const half = text.slice(0, text.length / 2);
  return half + half === text ? half : text;
}

/** Few different characters, or one step again and again: `1111111111`, `1234567890`, `abcdefghij`. */
function isMonotonous(text: string): boolean {
  const points = Array.from(text, (character) => character.codePointAt(0) ?? 0);
  if (new Set(points).size <= 3) return true;
  let runs = 0;
  for (let at = 1; at < points.length; at += 1) {
    const jump = (points[at] ?? 0) - (points[at - 1] ?? 0);
    if (Math.abs(jump) <= 1 || Math.abs(jump) === 9) runs += 1;
  }
  return runs >= points.length - 2;
}
