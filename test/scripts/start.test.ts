/**
 * The commands as a newcomer types them, with the real engines and the real gateway: started in the background with a data
 * folder of its own, samples sent, started twice, stopped. Run as root it also proves that nothing keeps root's rights.
 */
import assert from 'node:assert/strict';
import { execFile, type ExecFileException } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

const ROOT = path.resolve(import.meta.dirname, '../..');
const COMMAND_MS = 240_000;

let folder: string;
let data: string;
let first: Result;

interface Result {
  status: number;
  output: string;
}

function command(name: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<Result> {
  return new Promise((resolve) => {
    const options = { cwd: ROOT, timeout: COMMAND_MS, env: { ...process.env, LANG: 'C.UTF-8', LC_ALL: '', ...env } };
    execFile(path.join(ROOT, 'scripts', name), args, options, (error: ExecFileException | null, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === 'number' ? error.code : 99;
      resolve({ status, output: stdout + stderr });
    });
  });
}

/** Every living process that was started for our data folder: by its environment, its command line or its parent. */
function ours(): Array<{ pid: number; uid: number; name: string }> {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const status = readFileSync(`/proc/${name}/status`, 'utf8');
        const text = readFileSync(`/proc/${name}/environ`, 'latin1') + readFileSync(`/proc/${name}/cmdline`, 'latin1');
        const field = (key: string): string => new RegExp(`^${key}:\\s*(\\S+)`, 'm').exec(status)?.[1] ?? '';
        if (field('State') === 'Z') return [];
        const identity = { pid: Number(name), uid: Number(field('Uid')), name: field('Name') };
        return [{ ...identity, parent: Number(field('PPid')), mine: text.includes(data) }];
      } catch {
        return []; // gone meanwhile
      }
    });
  const start = Number(/^\d+/.exec(existsSync(pidFile()) ? readFileSync(pidFile(), 'utf8') : '')?.[0] ?? 0);
  const family = new Set(all.filter((one) => one.mine || one.pid === start).map((one) => one.pid));
  for (let grown = true; grown; ) {
    const more = all.filter((one) => family.has(one.parent) && !family.has(one.pid));
    grown = more.length > 0;
    for (const one of more) family.add(one.pid);
  }
  family.delete(process.pid);
  return all.filter((one) => family.has(one.pid)).map(({ pid, uid, name }) => ({ pid, uid, name }));
}

function pidFile(): string {
  return path.join(data, 'run', 'start.pid');
}

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'skt-'));
  await chmod(folder, 0o755);
  data = path.join(folder, 'data');
  first = await command('start', ['--offline', '--detach', '--data', data]);
});

after(async () => {
  await command('stop', ['--data', data]);
  await rm(folder, { recursive: true, force: true });
});

test('start says what it does, where to send, what to try next and how to stop', () => {
  assert.equal(first.status, 0, first.output);
  for (const part of ['[1/3]', '[2/3]', '[3/3]', 'rspamd: ready', 'clamd: ready', 'unbound: ready', 'gateway: ready'])
    assert.ok(first.output.includes(part), `${part} is missing in:\n${first.output}`);
  assert.match(first.output, /starter signatures only/);
  assert.match(first.output, /Send mail to +127\.0\.0\.1 port \d+/);
  assert.match(first.output, /\.\/scripts\/send-samples/);
  assert.match(first.output, /Stop +\.\/scripts\/stop/);
});

test('every process it leaves running has another uid than root', () => {
  const running = ours();
  const names = running.map((one) => one.name).join(' ');
  for (const engine of ['clamd', 'unbound', 'rspamd'])
    assert.ok(names.includes(engine), `${engine} is not among: ${names}`);
  assert.ok(running.length >= 6, names); // start, three engines, the gateway, its inspect worker
  assert.deepEqual(
    running.filter((one) => one.uid === 0),
    [],
  );
});

test('started twice it says so and changes nothing', async () => {
  const before = await readFile(pidFile(), 'utf8');
  const again = await command('start', ['--offline', '--detach', '--data', data]);
  assert.equal(again.status, 0, again.output);
  assert.match(again.output, /Already running \(pid \d+/);
  assert.equal(await readFile(pidFile(), 'utf8'), before);
});

test('send-samples finds every sample where it is expected, in both languages', async () => {
  const english = await command('send-samples', ['--data', data]);
  assert.equal(english.status, 0, english.output);
  assert.match(english.output, /All 11 as expected/);
  const japanese = await command('send-samples', ['--data', data, '--only', 'clean,eicar'], { LANG: 'ja_JP.UTF-8' });
  assert.equal(japanese.status, 0, japanese.output);
  assert.match(japanese.output, /2 通すべて期待どおり/);
});

test('a changed threshold changes the row, and the row is still right', async () => {
  const set = await command('sekisho', ['config', 'set', 'policy.spam.reject', '20', '--data', data]);
  assert.equal(set.status, 0, set.output);
  const answer = await command('send-samples', ['--data', data, '--only', 'gtube', '--json']);
  assert.equal(answer.status, 0, answer.output);
  const [row] = JSON.parse(
    answer.output.slice(answer.output.indexOf('['), answer.output.lastIndexOf(']') + 1),
  ) as Array<{
    outcome: string;
    expected: string;
  }>;
  assert.deepEqual([row?.outcome, row?.expected], ['quarantined', 'quarantined']);
});

test('an engine that is killed comes back by itself', async () => {
  const victim = ours().find((one) => one.name === 'clamd');
  assert.ok(victim);
  process.kill(victim.pid, 'SIGKILL');
  for (let i = 0; i < 100; i += 1) {
    const now = ours().find((one) => one.name === 'clamd');
    if (now !== undefined && now.pid !== victim.pid && existsSync(path.join(data, 'run/clamd.sock'))) return;
    await sleep(200);
  }
  assert.fail('clamd did not come back');
});

test('stop ends everything; a second start takes seconds; a signal ends that one too', async () => {
  const stopped = await command('stop', ['--data', data]);
  assert.equal(stopped.status, 0, stopped.output);
  assert.deepEqual(ours(), []);
  assert.match((await command('stop', ['--data', data])).output, /Not running/);
  assert.equal((await command('send-samples', ['--data', data])).status, 3);

  const began = Date.now();
  const second = await command('start', ['--offline', '--detach', '--data', data]);
  assert.equal(second.status, 0, second.output);
  assert.ok(Date.now() - began < 30_000, `${Date.now() - began} ms`);
  process.kill(Number(/^\d+/.exec(await readFile(pidFile(), 'utf8'))?.[0]), 'SIGINT');
  for (let i = 0; i < 300 && ours().length > 0; i += 1) await sleep(100);
  assert.deepEqual(ours(), []);
});

test('a configuration without the engines’ addresses, or on a taken port, is refused with what to do', async () => {
  const own = path.join(folder, 'own.json');
  await writeFile(own, JSON.stringify({ domains: [{ name: 'example.com', servers: [{ host: '192.0.2.10' }] }] }));
  await chmod(own, 0o644);
  const incomplete = await command('start', ['--offline', '--detach', '--data', data, '--config', own]);
  assert.equal(incomplete.status, 2, incomplete.output);
  assert.match(incomplete.output, /engines\.clamd\.socket/);
  assert.ok(incomplete.output.includes(path.join(data, 'run/rspamd.sock')));
  assert.equal((await command('start', ['--data', data, '--config', '/no/such/file.json'])).status, 2);

  const trial = JSON.parse(await readFile(path.join(data, 'trial.json'), 'utf8')) as { mx: number };
  const blocker = createServer().listen(trial.mx, '127.0.0.1');
  await new Promise((resolve) => blocker.once('listening', resolve));
  const taken = await command('start', ['--offline', '--detach', '--data', data]);
  await new Promise((resolve) => blocker.close(resolve));
  assert.equal(taken.status, 2, taken.output);
  assert.match(taken.output, new RegExp(`Port ${trial.mx} is taken by another program. Change listeners\\.mx\\.port`));
  assert.deepEqual(ours(), []);
});

test('wrong use is told with exit 2, and --help needs nothing', async () => {
  assert.equal((await command('start', ['--frobnicate'])).status, 2);
  assert.equal((await command('start', ['--data'])).status, 2);
  const help = await command('start', ['--help'], { LANG: 'ja_JP.UTF-8' });
  assert.equal(help.status, 0);
  assert.match(help.output, /使い方/);
  assert.equal((await command('send-samples', ['--data', path.join(folder, 'nothing-here')])).status, 3);
});
