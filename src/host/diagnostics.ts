/**
 * Tests a person runs to see what is wrong: ping, DNS, routes, the mail server's SMTP, our own ports, disk, engines, time.
 * Each ends in time, says what it means in both languages, and shows what it saw. Targets were checked by the contract;
 * programs get them as one argument, never through a shell.
 */
import { statfs } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { pause, withDeadline } from '../base/deadline.ts';
import { describeError } from '../base/errors.ts';
import type { Text } from '../base/i18n.ts';
import { createResolver } from '../base/resolver.ts';
import type { DiagnosticAnswer, DiagnosticName, HostStatus } from '../control/host-shapes.ts';
import type { RunCommand } from './command.ts';
import { gateways } from './network.ts';
import type { Services } from './services.ts';

export interface Diagnostics {
  run(request: {
    test: DiagnosticName;
    target?: string | undefined;
    port?: number | undefined;
  }): Promise<DiagnosticAnswer>;
}

interface Outcome {
  ok: boolean;
  summary: Text;
  lines: string[];
}

const CONNECT_MS = 10_000;
const BANNER_MS = 15_000;

export function createDiagnostics(options: {
  run: RunCommand;
  services: Services;
  dataFolder: string;
  clock: () => Promise<HostStatus['clock'] & { source?: string | undefined }>;
  /** `address:port` of the resolver the mail path uses. */
  resolver: string;
}): Diagnostics {
  const { run } = options;
  const tests: Readonly<
    Record<DiagnosticName, (target: string | undefined, port: number | undefined) => Promise<Outcome>>
  > = {
    ping: async (given) => {
      const target = given ?? (await gateways())[0] ?? '127.0.0.1';
      const ask = ['-c', '3', '-W', '3', target];
      let result = await run('ping', ['-n', ...ask], { deadlineMs: 20_000 });
      // the box has the one of busybox, and no other
      if (result.missing) result = await run('busybox', ['ping', ...ask], { deadlineMs: 20_000 });
      return outcome(result.code === 0, lines(result.stdout + result.stderr), {
        good: { ja: `${target} は応答しました`, en: `${target} answers` },
        bad: {
          ja: `${target} は応答しません。ケーブルとゲートウェイを確かめてください（ping に答えない機器もあります）`,
          en: `${target} does not answer. Check cable and gateway (some hosts never answer ping)`,
        },
      });
    },
    dns: async (target = 'example.com') => {
      const resolver = createResolver({ servers: [options.resolver], timeoutMs: 5_000 });
      const asked = await Promise.allSettled([resolver.a(target), resolver.mx(target)]);
      const seen = asked.map((one, index) => {
        const type = index === 0 ? 'A' : 'MX';
        return one.status === 'fulfilled'
          ? `${type}: ${JSON.stringify(one.value)}`
          : `${type}: ${describeError(one.reason)}`;
      });
      return outcome(asked[0].status === 'fulfilled', seen, {
        good: { ja: `${target} の DNS を引けました`, en: `DNS answers for ${target}` },
        bad: {
          ja: 'DNS が答えません。上流の DNS の設定と、外向きの 53 番ポートを確かめてください',
          en: 'DNS does not answer. Check the resolvers set and that port 53 outward is open',
        },
      });
    },
    route: async (target) => {
      const result = await run('ip', target === undefined ? ['route', 'show'] : ['route', 'get', target]);
      const ok = result.code === 0 && (target !== undefined || result.stdout.includes('default'));
      return outcome(ok, lines(result.stdout + result.stderr), {
        good: { ja: '経路があります', en: 'There is a route' },
        bad: { ja: '既定の経路（ゲートウェイ）がありません', en: 'There is no default route (gateway)' },
      });
    },
    smtp: async (target = '127.0.0.1', port = 25) => {
      const said = await talk(target, port);
      return outcome(said.ok, said.lines, {
        good: { ja: `${target} のメールサーバーは応答しました`, en: `The mail server at ${target} answers` },
        bad: {
          ja: `${target} の ${port} 番に届かないか、メールサーバーとして応答しません`,
          en: `${target} port ${port} is not reached, or does not answer as a mail server`,
        },
      });
    },
    ports: async () => {
      const result = await run('ss', ['-H', '-l', '-t', '-n']);
      return outcome(result.code === 0, lines(result.stdout + result.stderr), {
        good: { ja: '待ち受けているポートの一覧です', en: 'These ports listen' },
        bad: { ja: 'ポートを調べられません', en: 'The ports cannot be listed' },
      });
    },
    disk: async () => {
      const figures = await withDeadline('statfs', { ms: 5_000 }, () => statfs(options.dataFolder));
      const [total, free] = [figures.blocks * figures.bsize, figures.bavail * figures.bsize];
      const percent = total === 0 ? 0 : Math.round((free / total) * 100);
      const seen = [
        `${options.dataFolder}: ${Math.round(free / 1_048_576)} MiB free of ${Math.round(total / 1_048_576)} MiB (${percent} %)`,
      ];
      return outcome(percent >= 10, seen, {
        good: { ja: 'ディスクに空きがあります', en: 'The disk has room' },
        bad: { ja: 'ディスクの空きが 10 % を切っています', en: 'Less than 10 % of the disk is free' },
      });
    },
    engines: async () => {
      const wanted = new Set(['gateway', 'clamd', 'rspamd', 'unbound']);
      const services = (await options.services.list()).filter(({ name }) => wanted.has(name));
      const ok = services.every(({ state }) => state === 'running' || state === 'absent');
      return outcome(
        ok,
        services.map(({ name, state, detail }) => `${name}: ${state} ${detail ?? ''}`.trim()),
        {
          good: { ja: '検査エンジンは動いています', en: 'The engines run' },
          bad: { ja: '動いていないエンジンがあります', en: 'An engine does not run' },
        },
      );
    },
    time: async () => {
      const clock = await options.clock();
      return outcome(clock.synchronised, [`synchronised: ${clock.synchronised}`, `source: ${clock.source ?? '-'}`], {
        good: { ja: '時刻は合っています', en: 'The clock is right' },
        bad: {
          ja: '時刻の参照先がありません。NTP サーバーの設定を確かめてください',
          en: 'Nobody tells the time. Check the NTP servers',
        },
      });
    },
  };
  return {
    run: async ({ test, target, port }) => {
      const began = performance.now();
      const result = await tests[test](target, port).catch(
        (error: unknown): Outcome => ({
          ok: false,
          summary: { ja: '検査できませんでした', en: 'The test could not be made' },
          lines: [describeError(error)],
        }),
      );
      return { test, ...result, elapsedMs: Math.round(performance.now() - began) };
    },
  };
}

function outcome(ok: boolean, seen: string[], words: { good: Text; bad: Text }): Outcome {
  return { ok, summary: ok ? words.good : words.bad, lines: seen.slice(0, 200) };
}

function lines(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '');
}

/** The greeting and the answer to EHLO; nothing is sent. */
async function talk(host: string, port: number): Promise<{ ok: boolean; lines: string[] }> {
  const seen: string[] = [];
  const began = performance.now();
  const note = (text: string): number => seen.push(`${Math.round(performance.now() - began)} ms  ${text}`);
  const socket = createConnection({ host, port });
  try {
    await withDeadline(
      'Connecting',
      { ms: CONNECT_MS },
      () =>
        new Promise<void>((resolve, reject) => {
          socket.once('connect', () => resolve());
          socket.once('error', reject);
        }),
    );
    note(`connected to ${socket.remoteAddress ?? host}`);
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text = (text + chunk).slice(0, 8_000);
    });
    socket.on('error', () => undefined);
    const reply = async (): Promise<string> => {
      const end = performance.now() + BANNER_MS;
      while (!/^\d{3} [^\r\n]*\r?\n/m.test(text) && performance.now() < end && !socket.destroyed) await pause(20);
      const said = text;
      text = '';
      for (const line of lines(said)) note(line);
      return said;
    };
    const greeting = await reply();
    if (!/^2\d\d/.test(greeting)) return { ok: false, lines: seen };
    socket.write('EHLO [127.0.0.1]\r\n');
    const hello = await reply();
    socket.end('QUIT\r\n');
    return { ok: /^250/m.test(hello), lines: seen };
  } catch (error) {
    note(describeError(error));
    return { ok: false, lines: seen };
  } finally {
    socket.destroy();
  }
}
