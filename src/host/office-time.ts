/**
 * The time servers that the office's DHCP server names, for chrony: systemd-networkd notes them in its state files, and nobody
 * else carries them over. An office whose firewall lets no NTP out has no other clock, and a box without a battery would never
 * know the time. Addresses only; what the owner named himself is not told twice.
 */
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import path from 'node:path';
import { writeFileAtomic } from '../base/atomic-file.ts';
import type { RunCommand } from './command.ts';
import type { RecordFile } from './record.ts';

const MOST = 4;

export interface OfficeTime {
  /** Every few seconds: a lease comes and changes when it likes. */
  look(): Promise<void>;
}

export function createOfficeTime(options: {
  record: RecordFile;
  run: RunCommand;
  /** networkd's state, one file a link. */
  links: string;
  /** Whose `*.sources` chrony reads. */
  chrony: string;
}): OfficeTime {
  const { record, run, links, chrony } = options;
  const file = path.join(chrony, 'dhcp.sources');

  async function named(): Promise<string[]> {
    const names = await readdir(links).catch(() => []);
    const texts = await Promise.all(names.map((name) => readFile(path.join(links, name), 'utf8').catch(() => '')));
    const own = new Set(record.current().network?.ntp);
    const told = texts
      .flatMap((text) => (/^NTP=(.*)$/m.exec(text)?.[1] ?? '').split(' '))
      .filter((address) => isIP(address) !== 0 && !own.has(address));
    return [...new Set(told)].toSorted().slice(0, MOST);
  }

  return {
    look: async () => {
      const text = (await named()).map((address) => `server ${address} iburst\n`).join('');
      if (text === (await readFile(file, 'utf8').catch(() => ''))) return;
      await mkdir(chrony, { recursive: true });
      await writeFileAtomic(file, text, { mode: 0o644 });
      await run('chronyc', ['reload', 'sources'], { deadlineMs: 10_000 });
    },
  };
}
