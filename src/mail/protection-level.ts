/**
 * The levels of protection an owner chooses from: the rules each sets. `watch` lets everything in that no engine calls a virus;
 * what `normal` would have stopped is counted meanwhile (decide/watch.ts). Pure.
 */

type Action = 'reject' | 'quarantine' | 'deliver';
export interface LevelRules {
  spam: { tag: number; quarantine: number; reject: number };
  virus: 'reject' | 'quarantine';
  dmarc: 'honour' | 'quarantine' | 'ignore';
  ownDomainFromOutside: Action;
  suspiciousFrom: Action;
  disguisedExecutable: Action;
  executable: Action;
  encryptedArchive: Action;
  unscannable: Action;
}

/** Scores the spam engine does not reach. */
const NEVER = 999;

export const LEVEL_RULES: Readonly<Record<'watch' | 'normal' | 'strict', LevelRules>> = {
  watch: {
    spam: { tag: 5, quarantine: NEVER, reject: NEVER },
    virus: 'quarantine',
    dmarc: 'ignore',
    ownDomainFromOutside: 'deliver',
    suspiciousFrom: 'deliver',
    disguisedExecutable: 'deliver',
    executable: 'deliver',
    encryptedArchive: 'deliver',
    unscannable: 'deliver',
  },
  normal: {
    spam: { tag: 5, quarantine: 8, reject: 15 },
    virus: 'reject',
    dmarc: 'honour',
    ownDomainFromOutside: 'quarantine',
    suspiciousFrom: 'quarantine',
    disguisedExecutable: 'quarantine',
    executable: 'quarantine',
    encryptedArchive: 'deliver',
    unscannable: 'quarantine',
  },
  strict: {
    spam: { tag: 4, quarantine: 6, reject: 10 },
    virus: 'reject',
    dmarc: 'honour',
    ownDomainFromOutside: 'reject',
    suspiciousFrom: 'reject',
    disguisedExecutable: 'reject',
    executable: 'reject',
    encryptedArchive: 'quarantine',
    unscannable: 'quarantine',
  },
};
