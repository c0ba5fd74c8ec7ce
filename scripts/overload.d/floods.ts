/** Attacks by number: connections, dribbled commands, handshakes, mail bombs; the known-good peers go on beside each. */
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as tlsConnect } from 'node:tls';
import { deliver, introduce, keepBusy } from './client.ts';
import { type Item, type ItemOptions, type Mark, reported } from './item.ts';
import { OFFICE, smallMail } from './mails.ts';
import { judge, type Site } from './site.ts';

const RATED_LOOP_MS = 100;
const ATTACKED_LOOP_MS = 200;

type Run = ItemOptions & { site: () => Promise<Site> };

export const FLOODS: readonly Item[] = [
  {
    name: 'rated',
    what: 'no attack: known-good peers at half of W4f',
    run: async ({ site: open, short }) => {
      const site = await open();
      const marks = judge(site, await site.watch(seconds(short)), RATED_LOOP_MS);
      return [reported('W4f of this run, 64 KB with both engines', `${site.rate.toFixed(1)} mails/s`), ...marks];
    },
  },
  {
    name: 'idle',
    what: '10,000 idle connections from 5,000 networks',
    run: (options) => standStill(options, { sessions: options.short ? 1_500 : 10_000, dribble: false }),
  },
  {
    name: 'slowloris',
    what: '2,000 sessions that dribble one octet of a command every two seconds, and come again',
    run: (options) => standStill(options, { sessions: options.short ? 400 : 2_000, dribble: true }),
  },
  {
    name: 'tls',
    what: '500 TLS handshakes offered a second',
    run: handshakes,
  },
  {
    name: 'bomb-address',
    what: 'a mail bomb from one address, one mail in five with a virus',
    run: (options) => bomb(options, { address: () => '198.18.0.1', from: (turn) => `bomb-${turn}@nospf.example` }),
  },
  {
    name: 'bomb-network',
    what: 'a mail bomb from the 254 addresses of one network',
    run: (options) =>
      bomb(options, { address: (turn) => `198.18.1.${1 + (turn % 254)}`, from: (turn) => `b${turn}@nospf.example` }),
  },
  {
    name: 'bomb-sender',
    what: 'a mail bomb of one sender through 5,000 networks',
    run: (options) => bomb(options, { address: stranger, from: () => 'bomb@nospf.example' }),
  },
];

function seconds(short: boolean): number {
  return short ? 6 : 60;
}

/** 100.64.0.0/10, RFC 6598: room for 16,384 networks that are nobody's. */
function stranger(turn: number): string {
  const network = turn % 5_000;
  return `100.${64 + (network >> 8)}.${network & 255}.${1 + (turn % 200)}`;
}

async function standStill(options: Run, how: { sessions: number; dribble: boolean }): Promise<Mark[]> {
  const site = await options.site();
  const { mxPort } = site.world.gateway;
  if (!how.dribble) await site.allowSessions(10_000);
  let [most, offered, refused] = [0, 0, 0];
  const watched = await site.watch(seconds(options.short), async (over) => {
    const open = new Set<Socket>();
    const counting = setInterval(() => {
      most = Math.max(most, open.size);
      if (how.dribble) for (const socket of open) socket.write('X');
    }, 2_000);
    await keepBusy({ sessions: 200, done: over }, async (turn) => {
      if (open.size >= how.sessions) return sleep(50);
      offered += 1;
      const socket = introduce(mxPort, stranger(turn));
      open.add(socket);
      socket.once('data', (chunk: Buffer) => {
        if (chunk.toString('latin1').startsWith('421')) refused += 1;
      });
      socket.once('close', () => open.delete(socket));
      await sleep(10);
    });
    clearInterval(counting);
    for (const socket of open) socket.destroy();
  });
  if (!how.dribble) await site.allowSessions(1_000);
  const figure = `${offered}, at most ${most} at once, ${refused} heard 421`;
  return [reported('connections offered', figure), ...judge(site, watched, ATTACKED_LOOP_MS)];
}

async function handshakes({ site: open, short }: Run): Promise<Mark[]> {
  const site = await open();
  const perSecond = short ? 100 : 500;
  let [offered, served] = [0, 0];
  const waiting = new Set<Promise<void>>();
  const watched = await site.watch(seconds(short), async (over) => {
    const begun = performance.now();
    while (!over()) {
      const due = ((performance.now() - begun) * perSecond) / 1_000;
      while (offered < due && waiting.size < 4_000) {
        offered += 1;
        const one = handshake(site.world.gateway.mxPort, stranger(offered)).then((done) => {
          waiting.delete(one);
          if (done) served += 1;
        });
        waiting.add(one);
      }
      await sleep(10);
    }
    await Promise.all(waiting);
  });
  const figure = `${offered} (${perSecond}/s) / ${served} (${(served / seconds(short)).toFixed(0)}/s)`;
  return [reported('handshakes offered / served', figure), ...judge(site, watched, ATTACKED_LOOP_MS)];
}

function handshake(port: number, address: string): Promise<boolean> {
  const socket = introduce(port, address);
  return new Promise((resolve) => {
    const end = (done: boolean): void => {
      clearTimeout(late);
      socket.destroy();
      resolve(done);
    };
    const late = setTimeout(() => end(false), 10_000);
    let said = 0;
    socket.on('close', () => end(false));
    socket.on('data', (chunk: Buffer) => {
      const text = chunk.toString('latin1');
      if (!text.startsWith('2')) return end(false);
      said += 1;
      if (said === 1) socket.write('EHLO client.example.com\r\n');
      else if (said === 2) socket.write('STARTTLS\r\n');
      else {
        socket.removeAllListeners('data');
        const secure = tlsConnect({ socket, rejectUnauthorized: false });
        secure.once('error', () => end(false));
        secure.once('secureConnect', () => end(true));
      }
    });
  });
}

async function bomb(
  { site: open, short }: Run,
  who: { address: (turn: number) => string; from: (turn: number) => string },
): Promise<Mark[]> {
  const site = await open();
  const codes: Record<string, number> = {};
  const watched = await site.watch(seconds(short), (over) =>
    keepBusy({ sessions: short ? 50 : 200, done: over }, async (turn) => {
      const bytes = smallMail(turn, { dirty: turn % 5 === 0 });
      const letter = {
        port: site.world.gateway.mxPort,
        address: who.address(turn),
        from: who.from(turn),
        to: OFFICE,
        bytes,
      };
      const { code } = await deliver(letter);
      codes[code] = (codes[code] ?? 0) + 1;
      if (code === 421 || code === 0) await sleep(20); // refused at the door
    }),
  );
  const figure = Object.entries(codes).map(([code, count]) => `${count} × ${code === '0' ? 'cut' : code}`);
  return [reported('the bomb heard', figure.join(', ')), ...judge(site, watched, ATTACKED_LOOP_MS)];
}
