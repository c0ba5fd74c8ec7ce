import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { createLogSink, type RawWrite, writeTo } from '../../src/observe/log-sink.ts';
import { createLog } from '../../src/observe/log.ts';
import { eventually, temporaryFolder } from './support.ts';

function collector(): { write: RawWrite; text: () => string; lines: () => Array<Record<string, unknown>> } {
  let text = '';
  return {
    write: (octets, done) => {
      text += octets.toString();
      setImmediate(done, null, octets.length);
    },
    text: () => text,
    lines: () =>
      text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

describe('the log', () => {
  it('writes one JSON object a line with time, level, message and facts', async () => {
    const out = collector();
    const log = createLog({ level: 'info', sink: createLogSink({ write: out.write }), name: 'gateway' });
    log.write('warn', 'Line\nbreak', {
      subject: 'a\r\nb\u001b[2J',
      failure: new Error('Outer', { cause: new Error('inner') }),
      big: 1n,
    });
    await log.flush();
    const [line] = out.lines();
    assert.match(String(line?.['time']), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    assert.deepEqual(
      [line?.['level'], line?.['name'], line?.['msg'], line?.['subject'], line?.['failure']],
      ['warn', 'gateway', 'Line\nbreak', 'a\r\nb\u001b[2J', 'Outer (inner)'],
    );
    assert.equal(out.text().trim().split('\n').length, 1);
    assert.ok(!out.text().includes('\u001b'));
  });

  it('changes its level while it runs', async () => {
    const out = collector();
    const log = createLog({ level: 'info', sink: createLogSink({ write: out.write }) });
    log.write('debug', 'one');
    log.setLevel('debug');
    log.write('debug', 'two');
    log.setLevel('error');
    log.write('warn', 'three');
    await log.flush();
    assert.deepEqual(
      out.lines().map((line) => line['msg']),
      ['two'],
    );
    assert.equal(log.level(), 'error');
  });

  it('puts the priority before each line for journald', async () => {
    const out = collector();
    const log = createLog({ level: 'debug', journald: true, sink: createLogSink({ write: out.write }) });
    for (const level of ['debug', 'info', 'warn', 'error'] as const) log.write(level, level);
    await log.flush();
    assert.deepEqual(out.text().match(/^<\d>/gm), ['<7>', '<6>', '<4>', '<3>']);
  });

  it('survives facts that cannot be told', async () => {
    const out = collector();
    const log = createLog({ level: 'info', sink: createLogSink({ write: out.write }) });
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    log.write('info', 'circle', { circle });
    log.write('info', 'thrower', { thrower: { toJSON: () => assert.fail('no JSON') } });
    await log.flush();
    assert.deepEqual(
      out.lines().map((line) => line['msg']),
      ['circle', 'thrower'],
    );
  });
});

describe('the log sink', () => {
  it('keeps what a blocked reader does not take, drops the rest, counts it, and says so later', async () => {
    const taken: string[] = [];
    let release: (() => void) | undefined;
    let blocked = true;
    const sink = createLogSink({
      maxOctets: 1_000,
      lostLine: (lines) => `lost ${lines}\n`,
      write: (octets, done) => {
        const take = (): void => {
          taken.push(octets.toString());
          done(null, octets.length);
        };
        if (blocked) release = take;
        else setImmediate(take);
      },
    });
    for (let i = 0; i < 150; i += 1) sink.write('123456789\n');
    assert.equal(sink.dropped(), 50);
    await sink.flush(20); // gives up, throws nothing
    blocked = false;
    release?.();
    await sink.flush(1_000);
    assert.equal(taken.join('').split('123456789\n').length - 1, 100);
    assert.ok(taken.join('').includes('lost 50\n'));
    sink.write('after\n');
    await sink.flush(1_000);
    assert.ok(taken.join('').endsWith('after\n'));
    assert.equal(sink.dropped(), 50);
  });

  it('counts lines lost to a closed reader and tries again with the next', async () => {
    let closed = true;
    const taken: string[] = [];
    const sink = createLogSink({
      write: (octets, done) => {
        if (closed) return done(Object.assign(new Error('gone'), { code: 'EPIPE' }), 0);
        taken.push(octets.toString());
        done(null, octets.length);
      },
    });
    sink.write('one\n', true);
    assert.equal(sink.dropped(), 1);
    closed = false;
    sink.write('two\n');
    await sink.flush(1_000);
    assert.deepEqual(taken, ['two\n']);
  });

  it('finishes what was taken in part, and waits when it is told to', async () => {
    let text = '';
    let turn = 0;
    const sink = createLogSink({
      write: (octets, done) => {
        turn += 1;
        if (turn === 1) return void setImmediate(done, Object.assign(new Error('again'), { code: 'EAGAIN' }), 0);
        text += octets.subarray(0, 3).toString();
        setImmediate(done, null, Math.min(3, octets.length));
      },
    });
    sink.write('0123456789\n');
    await sink.flush(2_000);
    assert.equal(text, '0123456789\n');
    assert.equal(sink.dropped(), 0);
  });

  it('is not hurt by a write that throws', () => {
    const sink = createLogSink({ write: () => assert.fail('broken') });
    assert.doesNotThrow(() => sink.write('x\n', true));
    assert.equal(sink.dropped(), 1);
  });

  it('gathers lines that can wait, and takes them along with an urgent one', () => {
    const taken: string[] = [];
    const sink = createLogSink({
      gatherMs: 60_000,
      write: (octets, done) => {
        taken.push(octets.toString());
        done(null, octets.length);
      },
    });
    sink.write('one\n');
    sink.write('two\n');
    assert.deepEqual(taken, []);
    sink.write('alarm\n', true);
    assert.deepEqual(taken, ['one\ntwo\nalarm\n']);
  });

  it('writes gathered lines by itself when nothing urgent comes', async () => {
    const written = Promise.withResolvers<string>();
    const sink = createLogSink({
      gatherMs: 1,
      write: (octets, done) => {
        written.resolve(octets.toString());
        done(null, octets.length);
      },
    });
    sink.write('one\n');
    assert.equal(await written.promise, 'one\n');
  });

  it('writes to a file in order', async () => {
    await using temporary = await temporaryFolder();
    const file = path.join(temporary.folder, 'log');
    const fd = openSync(file, 'a');
    const sink = createLogSink({ write: writeTo(fd) });
    for (let i = 0; i < 5_000; i += 1) sink.write(`${i}\n`);
    await sink.flush(5_000);
    closeSync(fd);
    assert.deepEqual(
      readFileSync(file, 'utf8').trim().split('\n').map(Number),
      Array.from({ length: 5_000 }, (_, i) => i),
    );
  });

  it('lets a process live on, and its loop turn, when nobody reads its stdout or its reader is gone', async () => {
    const script = `
      import { createLog } from ${JSON.stringify(new URL('../../src/observe/log.ts', import.meta.url).href)};
      const log = createLog({ level: 'info' });
      process.stdin.once('data', () => {
        for (let i = 0; i < 3000; i += 1) log.write('info', 'after the reader went', { i });
        setTimeout(() => { process.stderr.write(JSON.stringify({ alive: true, dropped: log.dropped() }) + '\\n'); process.exit(0); }, 200);
      });
      for (let i = 0; i < 60000; i += 1) log.write('info', 'Nobody reads this line, which is about two hundred octets long with its facts', { i, more: 'x'.repeat(60) });
      setTimeout(() => process.stderr.write(JSON.stringify({ turned: true, dropped: log.dropped() }) + '\\n'), 100);
    `;
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let told = '';
    child.stderr.on('data', (chunk: Buffer) => {
      told += chunk.toString();
    });
    const exited = new Promise<number | null>((resolve) => void child.once('exit', resolve));
    try {
      await eventually('loop turned', () => told.includes('turned'));
      assert.ok(Number(/"dropped":(\d+)/.exec(told)?.[1]) > 1_000, told);
      child.stdout.destroy();
      child.stdin.write('go\n');
      await eventually('alive', () => told.includes('alive'));
      assert.equal(await exited, 0);
    } finally {
      child.kill('SIGKILL');
    }
  });
});
