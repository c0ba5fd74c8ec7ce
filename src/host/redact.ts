/**
 * Takes what could be a secret out of free text for the support bundle. Of our own log lines only named fields stay; of any
 * text what looks like a key, a token, a password or a code is replaced. Too much is taken rather than too little.
 */

/** Facts of our log lines that help and cannot be secrets. Everything else of a line is left out. */
const KEPT_FACTS = new Set(
  'level time msg name event listener port code state signal elapsedMs files dropped requeued lost corrupt cleanStop databaseRebuilt engine inspector unit program verb probe power job lines open restart'.split(
    ' ',
  ),
);

const HIDDEN = '[hidden]';
const PATTERNS: ReadonlyArray<readonly [RegExp, string]> = [
  // PEM, whole or cut off
  [/-----BEGIN [A-Z ]+-----[\s\S]*?(?:-----END [A-Z ]+-----|$)/g, HIDDEN],
  // user:password@host
  [/\/\/[^\s/@":]*:[^\s/@"]+@/g, `//${HIDDEN}@`],
  // SMTP AUTH, HTTP Authorization and cookies: the rest of the line
  [/\b(AUTH\s+\w+|Authorization:?|Bearer|Basic|Cookie:?|Set-Cookie:?)\s+[^\n"]+/gi, `$1 ${HIDDEN}`],
  // password=…, "token": "…", パスワード：…
  [
    /((?:pass(?:word|phrase|wd)?|secret|token|credential|api[-_ ]?key|private[-_ ]?key|otp|totp|pin|setup[-_ ]?code|recovery[-_ ]?code|session(?:id)?|パスワード|暗証|秘密)["']?\s*(?:[:=：]|is|was)\s*)(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^\s,;}"]+)/gi,
    `$1${HIDDEN}`,
  ],
  // crypt(3) and PHC strings
  [/\$(?:argon2\w*|2[aby]|5|6|y|scrypt)\$[^\s"]+/g, HIDDEN],
  // JSON web tokens
  [/(?<![\w-])eyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?/g, HIDDEN],
  // any long run of key material: hexadecimal, base64, base32
  [/(?<![\w+/=-])(?=[\w+/=-]*\d)(?=[\w+/=-]*[A-Za-z])[A-Za-z0-9+/_=-]{20,}(?![\w+/=-])/g, HIDDEN],
  // setup codes: ten of the id alphabet, with or without their hyphen
  [/\b(?=[0-9A-HJKMNP-TV-Z-]{0,10}\d)[0-9A-HJKMNP-TV-Z]{5}-?[0-9A-HJKMNP-TV-Z]{5}\b/g, HIDDEN],
];

export function redact(text: string): string {
  return PATTERNS.reduce((rest, [pattern, by]) => rest.replaceAll(pattern, by), text);
}

/** A line of our own log keeps named facts only; anything else is text. */
export function redactLogMessage(message: string): string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(message);
  } catch {
    return redact(message).slice(0, 500);
  }
  if (typeof parsed !== 'object' || parsed === null) return redact(message).slice(0, 500);
  const kept = Object.entries(parsed).filter(
    ([key, value]) => KEPT_FACTS.has(key) && ['string', 'number', 'boolean'].includes(typeof value),
  );
  return redact(JSON.stringify(Object.fromEntries(kept))).slice(0, 1_000);
}
