/**
 * The names of the trial: an office, a friend, a stranger, and a phone company, as records that the private resolver
 * answers itself. Loaded only while the trial mail server is in use. `docomo.ne.jp` stands here so that the sample with two
 * dots in its localpart is judged alike with and without a network.
 */

/** Where the samples come from: each its own loopback address, so that SPF has something to decide. */
export const SAMPLE_CLIENTS = {
  /** friend.example and docomo.ne.jp: SPF pass. */
  friend: '127.0.0.2',
  /** Stands in nobody's SPF record. */
  stranger: '127.0.0.3',
} as const;

export const OFFICE_DOMAIN = 'office.example';

/**
 * Zones that exist wholly here: what they do not list does not exist. The parents of `_dmarc` belong to it, because DMARC
 * walks up the tree (RFC 9989 §4.10).
 */
export const LAB_ZONES = ['example', 'docomo.ne.jp', '_dmarc.ne.jp', '_dmarc.jp'] as const;

/** Zone file lines, one record each. */
export const LAB_RECORDS: readonly string[] = [
  'office.example. 300 IN MX 10 mail.office.example.',
  'office.example. 300 IN A 127.0.0.1',
  'office.example. 300 IN TXT "v=spf1 ip4:127.0.0.1 -all"',
  'mail.office.example. 300 IN A 127.0.0.1',
  'friend.example. 300 IN MX 10 mail.friend.example.',
  'friend.example. 300 IN A 127.0.0.2',
  'friend.example. 300 IN TXT "v=spf1 ip4:127.0.0.2 -all"',
  'mail.friend.example. 300 IN A 127.0.0.2',
  '_dmarc.friend.example. 300 IN TXT "v=DMARC1; p=reject"',
  'stranger.example. 300 IN MX 10 mail.stranger.example.',
  'stranger.example. 300 IN A 127.0.0.3',
  'stranger.example. 300 IN TXT "v=spf1 ip4:127.0.0.3 -all"',
  'mail.stranger.example. 300 IN A 127.0.0.3',
  'docomo.ne.jp. 300 IN MX 10 mail.docomo.ne.jp.',
  'docomo.ne.jp. 300 IN TXT "v=spf1 ip4:127.0.0.2 ~all"',
  'mail.docomo.ne.jp. 300 IN A 127.0.0.2',
  '_dmarc.docomo.ne.jp. 300 IN TXT "v=DMARC1; p=none"',
];

/** As lines of unbound's `server:` clause. */
export function unboundZones(options: { lab: boolean; offline: boolean }): string {
  const lines: string[] = [];
  // Reverse names of loopback are answered at once: nobody waits for the root servers to say no.
  lines.push('local-zone: "127.in-addr.arpa." static');
  if (options.lab) {
    for (const zone of LAB_ZONES) lines.push(`local-zone: "${zone}." static`);
    for (const record of LAB_RECORDS) lines.push(`local-data: '${record}'`);
  }
  // --offline: every other name is refused here; a refused question is "could not ask", never "does not exist".
  if (options.offline) lines.push('local-zone: "." refuse');
  return lines.map((line) => `  ${line}`).join('\n');
}
