/**
 * Runs in a bare guest on a disk whose writes are recorded: takes, delivers, parts and settles mail with the real spool, the
 * real LevelDB and the real ext4, and says on the serial line what it promised, each line when it was so: ACK (the 250),
 * TRY (a settlement begins), SET (it is durable). The host reads them and knows what each prefix of the recording owes.
 */
import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { stampOf, systemClock } from '../../src/base/clock.ts';
import { parseForwardPath, type ForwardPath, parseReversePath, type ReversePath } from '../../src/mail/address.ts';
import type { QueueId } from '../../src/mail/queue-id.ts';
import { silentObserve } from '../../src/observe/events.ts';
import { openLevelDatabase } from '../../src/spool/database.ts';
import { diskFiles } from '../../src/spool/files.ts';
import { openSpool } from '../../src/spool/open.ts';
import type { SpoolStore } from '../../src/spool/store.ts';

const WORKERS = 10;
const TO = ['alice', 'bob', 'carol'].map((name) => parseForwardPath(`${name}@office.example`) as ForwardPath);
const FROM = parseReversePath('sender@friend.example') as ReversePath;
const say = (line: string): void => void writeSync(1, `${line}\n`);

const clock = systemClock();
const spool = await openSpool({
  root: '/data/spool',
  files: diskFiles(),
  openDatabase: openLevelDatabase,
  clock,
  observe: silentObserve,
  limits: () => ({ floorOctets: 0, floorPercent: 0 }),
  create: true,
  onFault: (error) => say(`FAULT ${error.message}`),
});
say('READY');
let number = 0;
await Promise.all(Array.from({ length: WORKERS }, () => work(spool)));

async function work(store: SpoolStore): Promise<void> {
  while (number < 100_000) {
    number += 1;
    const mine = number;
    const to = TO.slice(0, 1 + (mine % 3));
    const quarantined = mine % 7 === 0;
    const id = await take(store, { number: mine, to, folder: quarantined ? 'quarantine' : 'queue' });
    if (mine % 5 === 0) continue; // stays
    let part = id;
    if (quarantined) {
      const recipients = mine % 2 === 0 ? { recipients: to.slice(0, 1) } : {};
      part = await store.move(id, 'queue', recipients);
    }
    const open = (await store.read(part))?.progress.recipients.map(({ address }) => address) ?? [];
    for (const address of open) await settle(store, part, address);
  }
}

async function take(
  store: SpoolStore,
  options: { number: number; to: readonly ForwardPath[]; folder: 'queue' | 'quarantine' },
): Promise<QueueId> {
  const size = options.number % 40 === 3 ? 1_400_000 : 500 + ((options.number * 977) % 12_000);
  const body = Buffer.from(`Subject: ${options.number}\r\n\r\n`.padEnd(size, `body of ${options.number} `));
  const draft = await store.begin({
    origin: {
      direction: 'inbound',
      listener: 'mx',
      sessionId: 'guest',
      clientAddress: '192.0.2.1',
      helo: 'friend.example',
      protocol: 'ESMTP',
    },
    envelope: {
      reversePath: FROM,
      recipients: options.to.map((address) => ({ address })),
      smtpUtf8: false,
      eightBit: false,
    },
    arrival: stampOf(clock),
  });
  for (let at = 0; at < body.length; at += 65_536) await draft.write(body.subarray(at, at + 65_536));
  await draft.seal();
  await draft.commit(options.folder, {
    decisions: options.to.map((recipient) => ({ recipient, action: 'deliver', reason: 'clean' })),
    variants: [{ recipients: [...options.to], prefix: '', cuts: [] }],
  });
  const sha = createHash('sha256').update(body).digest('hex');
  say(`ACK ${draft.id} ${sha} ${options.to.join(',')}`);
  return draft.id;
}

async function settle(store: SpoolStore, id: QueueId, address: ForwardPath): Promise<void> {
  await store.recordAttempt(id, [address], 'hop');
  say(`TRY ${id} ${address}`);
  await store.settle(id, [{ address, outcome: 'delivered', reply: '250 Ok' }]);
  say(`SET ${id} ${address}`);
}
