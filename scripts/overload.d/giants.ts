/** Attacks by weight: single messages made to break parsers, scanners and memory. None may pass as clean that is not. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { bombs } from './archives.ts';
import { deliver, type Outcome } from './client.ts';
import { atMost, type Item, type ItemOptions, type Mark, reported } from './item.ts';
import { attached, DIRTY, OFFICE, smallMail } from './mails.ts';
import { judge, type Site, standing } from './site.ts';

const ATTACKED_LOOP_MS = 200;
const ARRIVES_MS = 60_000;
const HEAD = ['From: Hanako <hanako@nospf.example>', 'To: taro@office.example', 'MIME-Version: 1.0'];

type Run = ItemOptions & { site: () => Promise<Site> };

export const GIANTS: readonly Item[] = [
  {
    name: 'dot-lines',
    what: '25 MiB of lines that begin with a dot; arrives unaltered',
    run: async (options) => {
      const bytes = smallMail(1, { lines: ['.'.repeat(998), ...lines('.', ((options.short ? 2 : 25) * 2 ** 20) / 3)] });
      const marks = await throwAt(options, { name: 'dot lines', mails: [bytes] });
      const site = await options.site();
      const tail = bytes.subarray(bytes.indexOf('\r\n\r\n') + 4);
      const unaltered = (): boolean =>
        site.world.office.messages.some((one) => one.bytes.subarray(-tail.length).equals(tail));
      const begun = performance.now();
      while (!unaltered() && performance.now() - begun < ARRIVES_MS) await sleep(500); // a 250 is not yet a delivery
      const arrived = unaltered();
      return [...marks, { what: 'arrived', figure: arrived ? 'unaltered' : 'not', mark: 'unaltered', met: arrived }];
    },
  },
  {
    name: 'header',
    what: 'a header of 1 MiB, in one field and in 20,000',
    run: (options) =>
      throwAt(options, {
        name: 'header',
        mails: [
          mail([DIRTY, ...HEAD, `X-Long: ${lines('x'.repeat(70), 14_000).join('\r\n ')}`], ['Hello']),
          mail([DIRTY, ...HEAD, ...lines('X-Many: 0123456789012345678901234567890123456789', 20_000)], ['Hello']),
        ],
      }),
  },
  {
    name: 'parts',
    what: 'a message of 100,000 parts',
    run: (options) => {
      const part = '--b\r\nContent-Type: text/plain\r\n\r\nx';
      const head = [DIRTY, ...HEAD, 'Content-Type: multipart/mixed; boundary=b'];
      return throwAt(options, { name: 'parts', mails: [mail(head, [...lines(part, 100_000), '--b--'])] });
    },
  },
  {
    name: 'depth',
    what: 'multiparts nested 10,000 deep',
    run: (options) => {
      const open = Array.from({ length: 10_000 }, (_, at) => [
        `--b${at}`,
        `Content-Type: multipart/mixed; boundary=b${at + 1}`,
        '',
      ]);
      const head = [DIRTY, ...HEAD, 'Content-Type: multipart/mixed; boundary=b0'];
      return throwAt(options, { name: 'depth', mails: [mail(head, [...open.flat(), '--b10000', '', 'x'])] });
    },
  },
  {
    name: 'archives',
    what: 'archives that burst: zip, nested, gzip, tar, 7z, and a quine',
    run: async (options) => {
      const made = bombs();
      const marks: Mark[] = [];
      for (const bomb of options.short ? made.slice(-2) : made)
        marks.push(...(await one(options, { name: bomb.name, bytes: attached(bomb) })));
      return [...marks, ...(await throwAt(options, { name: 'archives at once', mails: made.map(attached) }))];
    },
  },
  { name: 'poison', what: 'a message on which every inspection worker dies', run: poison },
];

function lines(text: string, count: number): string[] {
  return Array.from({ length: Math.floor(count) }, () => text);
}

function mail(head: readonly string[], body: readonly string[]): Buffer {
  return Buffer.from([...head, '', ...body, ''].join('\r\n'), 'latin1');
}

/** Alone: what is said to it, and how soon. */
async function one({ site: open }: Run, { name, bytes }: { name: string; bytes: Buffer }): Promise<Mark[]> {
  const { world } = await open();
  const outcome = await send(world.gateway.mxPort, bytes, 1);
  return [answered(name, outcome), atMost(`${name}, time to its reply`, outcome.ms / 1_000, { limit: 30, unit: ' s' })];
}

/** Again and again from four sessions, beside the known-good peers. */
async function throwAt(options: Run, { name, mails }: { name: string; mails: readonly Buffer[] }): Promise<Mark[]> {
  const site = await options.site();
  const outcomes: Outcome[] = [];
  const watched = await site.watch(options.short ? 6 : 30, async (over) => {
    const lane = async (at: number): Promise<void> => {
      for (let turn = at; !over(); turn += 1) {
        const bytes = mails[turn % mails.length] ?? Buffer.alloc(0);
        outcomes.push(await send(site.world.gateway.mxPort, bytes, turn));
      }
    };
    await Promise.all([0, 1, 2, 3].map(lane));
  });
  const own = outcomes.filter(
    ({ code }) => code === 0 || (code >= 500 && code !== 552 && code !== 554 && code !== 550),
  );
  const slowest = Math.max(0, ...outcomes.map(({ ms }) => ms)) / 1_000;
  return [
    reported(`${name}: thrown, slowest reply`, `${outcomes.length} mails, ${slowest.toFixed(1)} s`),
    atMost(`${name}: left without a fair reply`, own.length, { limit: 0 }),
    ...judge(site, watched, ATTACKED_LOOP_MS),
  ];
}

function send(port: number, bytes: Buffer, turn: number): Promise<Outcome> {
  const address = `100.70.${turn % 250}.1`;
  return deliver({ port, address, from: 'hanako@nospf.example', to: OFFICE, bytes, ms: 150_000 });
}

function answered(name: string, { code, text }: Outcome): Mark {
  const met = code >= 200 && code < 600;
  return { what: `${name} heard`, figure: code === 0 ? text : text.slice(0, 60), mark: 'a reply', met };
}

/** The worker is killed for as long as this one message is looked at; then mail flows again. */
async function poison({ site: open }: Run): Promise<Mark[]> {
  const site = await open();
  const { gateway } = site.world;
  const part = '--b\r\nContent-Type: text/plain\r\n\r\nx';
  const head = [DIRTY, ...HEAD, 'Content-Type: multipart/mixed; boundary=b'];
  const state = { over: false, kills: 0 };
  const killing = (async () => {
    while (!state.over) {
      state.kills += killWorkers(gateway.child().pid);
      await sleep(20);
    }
  })();
  const outcome = await send(gateway.mxPort, mail(head, [...lines(part, 1_500), '--b--']), 1);
  state.over = true;
  await killing;
  const begun = performance.now();
  let next: Outcome;
  do next = await send(gateway.mxPort, smallMail(77), 2);
  while (next.code !== 250 && performance.now() - begun < 60_000);
  return [
    reported('workers killed', String(state.kills)),
    answered('the message', outcome),
    atMost('mail flows again after', (performance.now() - begun) / 1_000, { limit: 60, unit: ' s' }),
    ...standing(site.world),
  ];
}

/** Only children of our own gateway that are its inspect workers. */
function killWorkers(gateway: number): number {
  let killed = 0;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      if (parent !== gateway || !readFileSync(`/proc/${name}/cmdline`, 'utf8').includes('inspect.ts')) continue;
      process.kill(Number(name), 'SIGKILL');
      killed += 1;
    } catch {
      // it has ended
    }
  }
  return killed;
}
