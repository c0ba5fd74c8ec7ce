/**
 * A virtual machine that boots an image, by QEMU's software emulation (no KVM: it is absent or broken on most test machines),
 * in user space. Its disk is a throw-away layer over the image; its network is QEMU's own, whose host side is this process's
 * network namespace. Words on the serial line are kept in a file; commands run in the shell that images built with --dev have
 * on a virtual line. Every wait has a deadline; the machine is ended by its pid.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import path from 'node:path';
import { withDeadline } from '../../src/base/deadline.ts';
import { freePort } from './net.ts';
import { type Child, startChild, until } from './process.ts';

export interface VmOptions {
  /** Private to this machine; kept between its starts. */
  folder: string;
  /** The raw disk image below. */
  image: string;
  firmware?: 'bios' | 'uefi';
  memoryMiB?: number;
  /** What the battery clock says at power on, ISO 8601; else the true time. */
  clock?: string;
  diskGiB?: number;
  extra?: readonly string[];
}

export interface ShellResult {
  code: number;
  output: string;
}

/** What is emulated. Not the processor that the tests run on: those of the test command are for this one. */
export const TEST_ARCH = process.env['SEKISHO_TEST_ARCH'] === 'arm64' ? 'arm64' : 'amd64';

const MACHINES = {
  amd64: {
    program: 'qemu-system-x86_64',
    options: [
      ['-machine', 'pc'],
      // without SSSE3 rspamd leaves Hyperscan alone, which takes five minutes and more to compile its patterns under emulation
      ['-cpu', 'Nehalem,-ssse3,-sse4.1,-sse4.2'],
      ['-device', 'VGA,romfile='],
    ],
  },
  arm64: {
    program: 'qemu-system-aarch64',
    options: [
      ['-machine', 'virt'],
      ['-cpu', 'cortex-a72'],
      // UEFI as read-only memory: what it remembers is gone at power off, and a moment can be kept
      ['-bios', '/usr/share/qemu-efi-aarch64/QEMU_EFI.fd'],
      ['-device', 'ramfb'],
    ],
  },
} as const;

const OVMF = ['/usr/share/OVMF/OVMF_CODE_4M.fd', '/usr/share/OVMF/OVMF_CODE.fd'];
const OVMF_VARS = ['/usr/share/OVMF/OVMF_VARS_4M.fd', '/usr/share/OVMF/OVMF_VARS.fd'];

/** No machine comes up and goes down again in so many seconds. */
const SAME_S = 8;

export class Vm {
  readonly #options: VmOptions;
  #child: Child | undefined;
  #shell: Socket | undefined;
  #qmp: Socket | undefined;
  #events: Array<{ event: string; at: number }> = [];
  #counter = 0;
  #answered: ((answer: unknown) => void) | undefined;
  poweredAt = 0;
  smtpPort = 0;
  relayPort = 0;
  httpsPort = 0;

  constructor(options: VmOptions) {
    this.#options = options;
    mkdirSync(options.folder, { recursive: true });
  }

  get running(): boolean {
    return this.#child !== undefined;
  }

  file(name: string): string {
    return path.join(this.#options.folder, name);
  }

  serial(): string {
    return existsSync(this.file('serial.log')) ? readFileSync(this.file('serial.log'), 'latin1') : '';
  }

  /** Power on, or on from a moment that was `keep`t. Resolves when QEMU runs. */
  async start({ from }: { from?: string } = {}): Promise<void> {
    if (this.#child !== undefined) throw new Error('The machine runs already');
    const { image, diskGiB = 6 } = this.#options;
    const disk = this.file('disk.qcow2');
    if (!existsSync(disk)) {
      execFileSync('qemu-img', [
        'create',
        '-q',
        '-f',
        'qcow2',
        '-F',
        'raw',
        '-b',
        path.resolve(image),
        disk,
        `${diskGiB}G`,
      ]);
    }
    for (const name of ['serial.log', 'serial.sock', 'shell.sock', 'qmp.sock'])
      rmSync(this.file(name), { force: true });
    this.#events = [];
    this.smtpPort = await freePort();
    this.relayPort = await freePort();
    this.httpsPort = await freePort();
    const moment = from === undefined ? [] : ['-loadvm', from];
    const child = await startChild(MACHINES[TEST_ARCH].program, [...this.#arguments(disk), ...moment]);
    this.#child = child;
    this.poweredAt = performance.now();
    void child.ended.then(() => this.#ended(child));
    this.#qmp = await until('the monitor of the machine', { ms: 20_000, every: 50 }, async () => {
      if (!child.running()) throw new Error(`QEMU ended: ${child.output().slice(-2_000)}`);
      return dial(this.file('qmp.sock'));
    });
    let rest = '';
    this.#qmp.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString('utf8')).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const said = JSON.parse(line) as { event?: string; timestamp?: { seconds: number }; return?: unknown };
        if (said.event !== undefined) this.#events.push({ event: said.event, at: said.timestamp?.seconds ?? 0 });
        else if ('return' in said) this.#answered?.(said.return);
      }
    });
    const ready = Promise.withResolvers<unknown>();
    this.#answered = ready.resolve;
    this.#qmp.write('{"execute":"qmp_capabilities"}\n');
    // a moment that was kept is read before anything is answered
    await withDeadline('The monitor of the machine', { ms: 300_000 }, () => ready.promise);
    this.#answered = undefined;
  }

  #arguments(disk: string): string[] {
    const { firmware = 'bios', memoryMiB = 2_048, clock, extra = [] } = this.#options;
    const forward = (port: number, guest: number): string => `hostfwd=tcp:127.0.0.1:${port}-:${guest}`;
    const network = [forward(this.smtpPort, 25), forward(this.relayPort, 10_025), forward(this.httpsPort, 443)];
    const options: Array<readonly [string, string]> = [
      ...MACHINES[TEST_ARCH].options,
      ['-accel', 'tcg,thread=multi'],
      // on a machine with other work QEMU 7.2's emulation can let the kernel run into its own patching (int3): run it alone
      ['-smp', '2'],
      ['-m', String(memoryMiB)],
      ['-display', 'none'],
      ['-rtc', `base=${clock ?? 'utc'}`],
      ['-drive', `if=none,id=disk,file=${disk},format=qcow2,cache=writeback,discard=unmap`],
      ['-device', 'virtio-blk-pci,drive=disk,bootindex=1'],
      ['-netdev', `user,id=net,${network.join(',')}`],
      ['-device', 'virtio-net-pci,netdev=net,romfile='],
      ['-device', 'virtio-rng-pci'],
      ['-device', 'qemu-xhci,id=usb'],
      ['-device', 'i6300esb'],
      ['-action', 'watchdog=reset'],
      [
        '-chardev',
        `socket,id=serial,path=${this.file('serial.sock')},server=on,wait=off,logfile=${this.file('serial.log')}`,
      ],
      ['-serial', 'chardev:serial'],
      ['-device', 'virtio-serial-pci'],
      ['-chardev', `socket,id=shell,path=${this.file('shell.sock')},server=on,wait=off`],
      ['-device', 'virtconsole,chardev=shell'],
      ['-qmp', `unix:${this.file('qmp.sock')},server=on,wait=off`],
    ];
    if (firmware === 'uefi' && TEST_ARCH === 'amd64') {
      const vars = this.file('vars.fd');
      const from = OVMF_VARS.find((file) => existsSync(file));
      const code = OVMF.find((file) => existsSync(file));
      if (from === undefined || code === undefined) throw new Error('There is no OVMF: ./scripts/test --only install');
      if (!existsSync(vars)) execFileSync('cp', [from, vars]);
      options.push(['-drive', `if=pflash,unit=0,format=raw,readonly=on,file=${code}`]);
      options.push(['-drive', `if=pflash,unit=1,format=raw,file=${vars}`]);
    }
    return ['-nodefaults', '-no-user-config', ...options.flat(), ...extra];
  }

  /**
   * How often it happened to the machine since its start: RESET, WATCHDOG, POWERDOWN, SHUTDOWN… A kernel that restarts asks for it
   * in more than one way, and two processors may be heard twice: what comes within seconds is one.
   */
  events(name: string): number {
    const times = this.#events.filter(({ event }) => event === name).map(({ at }) => at);
    return times.filter((at, index) => index === 0 || at - (times[index - 1] ?? 0) > SAME_S).length;
  }

  qmp(execute: string): void {
    this.#qmp?.write(`${JSON.stringify({ execute })}\n`);
  }

  /** Keeps this moment, memory and disk, in the machine's disk file; `start({ from })` goes on there as often as wanted. */
  async keep(name: string): Promise<void> {
    const said = await this.#monitor(`savevm ${name}`);
    if (said !== '') throw new Error(`The moment was not kept: ${said}`);
  }

  /** Puts a USB stick into the running machine. */
  async plug(file: string): Promise<void> {
    const id = `stick${(this.#counter += 1)}`;
    const drive = await this.#monitor(`drive_add 0 if=none,id=${id},file=${file},format=raw,readonly=on`);
    if (!drive.startsWith('OK')) throw new Error(`There is no such stick: ${drive}`);
    const said = await this.#monitor(`device_add usb-storage,bus=usb.0,drive=${id},removable=on`);
    if (said !== '') throw new Error(`The stick was not put in: ${said}`);
  }

  /** A second network card, whose cable ends at `tap` in this process's network (tap devices want root). */
  async wire(tap: string): Promise<void> {
    const lines = [
      `netdev_add tap,id=${tap},ifname=${tap},script=no,downscript=no`,
      `device_add virtio-net-pci,netdev=${tap},romfile=,mac=52:54:00:12:34:99`,
    ];
    for (const line of lines) {
      const said = await this.#monitor(line);
      if (said !== '') throw new Error(`There is no second card: ${said}`);
    }
  }

  /** A line to QEMU's own monitor; what it said. */
  async #monitor(line: string): Promise<string> {
    const answer = Promise.withResolvers<unknown>();
    this.#answered = answer.resolve;
    const call = { execute: 'human-monitor-command', arguments: { 'command-line': line } };
    this.#qmp?.write(`${JSON.stringify(call)}\n`);
    const said = await withDeadline(`"${line}" at the monitor`, { ms: 300_000 }, () => answer.promise);
    this.#answered = undefined;
    return String(said);
  }

  /** The cord is pulled: no signal reaches the guest. What QEMU had completed is on its disk. It may be started again at once. */
  async powerCut(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    await child.kill();
    this.#ended(child);
  }

  #ended(child: Child): void {
    if (this.#child !== child) return;
    this.#shell?.destroy();
    this.#qmp?.destroy();
    this.#child = this.#shell = this.#qmp = undefined;
  }

  /** Waits for the machine to be off by itself. */
  async off(ms: number): Promise<void> {
    await until('the machine to be off', { ms, every: 100 }, () => (this.running ? undefined : true));
  }

  /** Types into the serial line. */
  async type(text: string): Promise<void> {
    const socket = await dial(this.file('serial.sock'));
    if (socket === undefined) throw new Error('Nobody is at the serial line');
    await new Promise<void>((resolve) => socket.end(text, () => resolve()));
  }

  /** Runs a shell command as root in the guest; its output and exit code. Waits for the shell as long as `ms`. */
  async shell(command: string, { ms = 180_000 }: { ms?: number } = {}): Promise<ShellResult> {
    const end = performance.now() + ms;
    for (;;) {
      const left = end - performance.now();
      if (left <= 0)
        throw new Error(`No answer in the guest within ${ms} ms: ${command}\n${this.serial().slice(-1_500)}`);
      const result = await this.#ask(command, Math.min(left, ms)).catch(() => undefined);
      if (result !== undefined) return result;
      if (!this.running) throw new Error(`The machine is off: ${command}`);
    }
  }

  async #ask(command: string, ms: number): Promise<ShellResult | undefined> {
    this.#shell ??= await until('the shell of the machine', { ms, every: 200 }, () => dial(this.file('shell.sock')));
    const socket = this.#shell;
    // first a word that only a living shell gives back; it may be typed before anybody listens
    const id = `${process.pid}x${(this.#counter += 1)}`;
    const alive = await say(socket, {
      text: `echo ALIVE$((1))${id}\n`,
      answer: new RegExp(`ALIVE1${id}`),
      ms: Math.min(ms, 15_000),
    });
    if (alive === undefined) return undefined;
    const coded = Buffer.from(command).toString('base64');
    const text = `stty -echo 2>/dev/null; echo BEGIN$((1))${id}; echo ${coded} | base64 -d | sh 2>&1; echo END$((1))${id}=$?=\n`;
    const said = await say(socket, { text, answer: new RegExp(`BEGIN1${id}\\r?\\n([\\s\\S]*?)END1${id}=(\\d+)=`), ms });
    if (said === undefined) {
      socket.write('\u0003\n'); // else the shell would not hear the next one
      throw new Error(`No end of the command within ${ms} ms: ${command}`);
    }
    return { code: Number(said[2]), output: (said[1] ?? '').replaceAll('\r', '') };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.powerCut();
  }
}

function dial(file: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect(file);
    socket.once('connect', () => resolve(socket));
    socket.once('error', () => resolve(undefined));
    socket.on('error', () => undefined);
  });
}

function say(
  socket: Socket,
  wanted: { text: string; answer: RegExp; ms: number },
): Promise<RegExpExecArray | undefined> {
  return new Promise((resolve) => {
    let heard = '';
    const finish = (result: RegExpExecArray | undefined): void => {
      clearTimeout(timer);
      socket.removeListener('data', onData);
      resolve(result);
    };
    const onData = (chunk: Buffer): void => {
      heard += chunk.toString('utf8');
      const match = wanted.answer.exec(heard);
      if (match !== null) finish(match);
    };
    const timer = setTimeout(() => finish(undefined), wanted.ms);
    socket.on('data', onData);
    socket.write(wanted.text);
  });
}
