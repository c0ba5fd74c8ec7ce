/**
 * Ten thousand of everything, written by the product's own code into the folders of a gateway and an admin that are stopped: a
 * quarantine and a queue by the spool, history rows by its writer, an audit by its chain. Syncs are left out: nothing here is
 * about power cuts. Both processes run again when it resolves.
 */
import { buffer } from 'node:stream/consumers';
import path from 'node:path';
import { createAudit } from '../../src/api/audit/audit.ts';
import { openAdminDatabase } from '../../src/api/store/database.ts';
import { stampOf, systemClock } from '../../src/base/clock.ts';
import type { ForwardPath } from '../../src/mail/address.ts';
import { silentObserve } from '../../src/observe/events.ts';
import { openHistoryDatabase } from '../../src/observe/history-database.ts';
import type { StoredMessage, Trailer } from '../../src/spool/api.ts';
import { openLevelDatabase } from '../../src/spool/database.ts';
import { diskFiles, type FileLayer } from '../../src/spool/files.ts';
import { openSpool } from '../../src/spool/open.ts';
import type { SpoolStore } from '../../src/spool/store.ts';
import type { PagesWorld } from './pages-world.ts';

const AT_ONCE = 200;
const SECOND_MS = 1_000;

/** `rows` more of each; the model is the newest message of the quarantine. */
export async function plantMany(world: PagesWorld, rows: number): Promise<void> {
  const { gateway } = world.mail;
  await world.stopAdmin();
  await gateway.stop();
  await plantSpool(path.join(gateway.dataFolder, 'spool'), rows);
  plantHistory(path.join(gateway.dataFolder, 'history', 'history.sqlite'), rows);
  plantAudit(world.adminData(), rows);
  await gateway.start();
  await world.startAdmin();
}

async function plantSpool(root: string, rows: number): Promise<void> {
  await using spool = await openSpool({
    root,
    files: unsynced(diskFiles()),
    openDatabase: openLevelDatabase,
    clock: systemClock(),
    observe: silentObserve,
    limits: () => ({ floorOctets: 0, floorPercent: 0 }),
    create: false,
    onFault: (error) => {
      throw error;
    },
  });
  const [newest] = await spool.list('quarantine', { limit: 1, newestFirst: true });
  const model = newest === undefined ? undefined : await spool.read(newest.id);
  if (model === undefined) throw new Error('The quarantine holds no message to take as a model');
  const body = await buffer(spool.openBody(model));
  for (let made = 0; made < rows; made += AT_ONCE)
    await Promise.all(Array.from({ length: AT_ONCE }, (_, at) => plantTwo(spool, { model, body, serial: made + at })));
}

/** One into the quarantine, one into the queue: held, so that nothing tries to deliver it. */
async function plantTwo(
  spool: SpoolStore,
  { model, body, serial }: { model: StoredMessage; body: Buffer; serial: number },
): Promise<void> {
  const name = String(serial).padStart(5, '0');
  const recipient = `many${name}@office.example` as ForwardPath;
  const { origin, envelope } = model.preamble;
  for (const folder of ['quarantine', 'held'] as const) {
    const draft = await spool.begin({
      origin,
      envelope: { ...envelope, recipients: [{ address: recipient }] },
      arrival: stampOf(systemClock()),
    });
    await draft.write(body);
    await draft.seal();
    await draft.commit(folder, trailerOf(model, { recipient, subject: `大量のメール ${name}` }));
  }
}

function trailerOf({ trailer }: StoredMessage, to: { recipient: ForwardPath; subject: string }): Trailer {
  const { recipient, subject } = to;
  const { inspection } = trailer;
  return {
    ...trailer,
    decisions: trailer.decisions.slice(0, 1).map((decision) => ({ ...decision, recipient })),
    variants: trailer.variants.slice(0, 1).map((variant) => ({ ...variant, recipients: [recipient] })),
    ...(inspection === undefined
      ? {}
      : {
          inspection: {
            ...inspection,
            findings: inspection.findings.map((found) => (found.kind === 'summary' ? { ...found, subject } : found)),
          },
        }),
  };
}

function unsynced(files: FileLayer): FileLayer {
  return { ...files, syncDirectory: () => Promise.resolve() };
}

function plantHistory(file: string, rows: number): void {
  const database = openHistoryDatabase(file, { days: 4_000, subjects: true, floorOctets: 0 });
  const begun = Date.now() - rows * SECOND_MS - 60_000;
  const events = Array.from({ length: rows }, (_, serial) => {
    const name = String(serial).padStart(5, '0');
    const recipient = `many${name}@office.example`;
    const received = {
      event: 'received',
      id: `${name.padStart(7, '0')}-0000000000000`,
      direction: 'inbound',
      origin: {
        direction: 'inbound',
        listener: 'mx',
        sessionId: 's',
        clientAddress: '198.51.100.7',
        helo: 'x',
        protocol: 'ESMTP',
      },
      reversePath: 'hanako@example.com',
      recipients: [recipient],
      size: 2_000,
      subject: `大量の履歴 ${name}`,
      messageId: `<many.${name}@example.com>`,
      from: '山田花子 <hanako@example.com>',
      findings: [],
      decisions: [{ recipient, action: 'deliver', reason: 'clean' }],
      state: 'queue',
      reply: '250 2.0.0 Ok',
    };
    return { at: begun + serial * SECOND_MS, json: JSON.stringify(received) };
  });
  database.apply({ run: 'many', number: 1, rows: events });
  database.close();
}

function plantAudit(data: string, rows: number): void {
  const store = openAdminDatabase(data);
  // one sync for each of ten thousand entries is an hour's work on a slow disk
  store.database.exec('PRAGMA synchronous = OFF');
  let at = Date.now() - rows * SECOND_MS;
  const audit = createAudit(store, () => (at += SECOND_MS));
  for (let serial = 0; serial < rows; serial++)
    audit.write({
      actor: 'tanaka',
      address: '192.0.2.7',
      action: 'policy.level',
      target: `many-${String(serial).padStart(5, '0')}`,
      outcome: 'ok',
      detail: {},
    });
  store.close();
}
