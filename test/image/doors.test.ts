/**
 * What a stranger finds who knocks at every door of a claimed box: a real network card with addresses of this test on its
 * other end, once as a machine of the office and once as one outside. The list of listeners is box.test.ts's.
 */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import type { NetworkSettings } from '../../src/control/host-shapes.ts';
import { enterOwnNetwork, ip } from '../support/own-network.ts';
import { until } from '../support/process.ts';
import type { Vm } from '../support/vm.ts';
import { askHost, claimedBox, imageFolder, untilBanner } from './world.ts';

await imageFolder();
enterOwnNetwork();

const CARD = '52:54:00:12:34:99';
/** Documentation's addresses (RFC 5737) are outside for the box. */
const PLACES = {
  inside: { box: '192.168.77.10', here: '192.168.77.1' },
  outside: { box: '203.0.113.10', here: '203.0.113.1' },
};
/** All that a program of the box or a neighbour's scanner would know, and the first ten thousand. */
const PORTS = [...Array.from({ length: 10_100 }, (_, index) => index + 1), 11_211, 11_332, 11_333, 11_334, 27_017];
const AT_ONCE = 2_500;
const ANSWER_MS = 3_000;
let vm: Vm;

before(async () => {
  ({ vm } = await claimedBox());
  await untilBanner(vm);
  await vm.wire('wire');
  const name = await until('the second card', { ms: 120_000, every: 1_000 }, async () => {
    // udev gives it the name it keeps
    const found = await vm.shell(`udevadm settle; grep -l ${CARD} /sys/class/net/en*/address | cut -d/ -f5`);
    return /^en\w+$/.exec(found.output.trim())?.[0];
  });
  ip('link', 'set', 'wire', 'up');
  for (const { here } of Object.values(PLACES)) ip('addr', 'add', `${here}/24`, 'dev', 'wire');
  await giveAddresses(name);
});
after(async () => {
  // a box that starts anew in the middle explains any other finding
  if (vm?.events('RESET')) console.log(`The box was reset ${vm.events('RESET')} times:\n${vm.serial().slice(-4_000)}`);
  await vm?.[Symbol.asyncDispose]();
});

/** As the owner of a box with two cards does, and says that the page still answers. */
async function giveAddresses(name: string): Promise<void> {
  const { settings } = await askHost<{ settings: NetworkSettings }>(vm, { path: 'network' });
  const addresses = Object.values(PLACES).map(({ box }) => `${box}/24`);
  const second = { name, ipv4: { method: 'static' as const, addresses }, ipv6: { method: 'off' as const } };
  const interfaces = [...settings.interfaces.filter((one) => one.name !== name), second];
  const body = { settings: { ...settings, interfaces } };
  const { id } = await askHost<{ id: string }>(vm, { path: 'network/set', body });
  await askHost(vm, { path: 'network/confirm', body: { id } });
}

type Found = 'open' | 'refused' | 'silent';

function knock(host: string, port: number): Promise<Found> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const done = (found: Found): void => {
      socket.destroy();
      resolve(found);
    };
    socket.setTimeout(ANSWER_MS, () => done('silent'));
    socket.once('connect', () => done('open'));
    socket.once('error', (error: NodeJS.ErrnoException) => done(error.code === 'ECONNREFUSED' ? 'refused' : 'silent'));
  });
}

/**
 * `open`: doors that must be open, which the programs of a busy machine may open late. They and `refusing` are expected to answer and
 * get a second chance: it may take longer than a closed door is waited for.
 */
async function scan(
  host: string,
  { open, refusing = [] }: { open: readonly number[]; refusing?: readonly number[] },
): Promise<Record<Found, number[]>> {
  const answers = [...open, ...refusing];
  const found: Record<Found, number[]> = { open: [], refused: [], silent: [] };
  const left = [...PORTS];
  const worker = async (): Promise<void> => {
    for (let port = left.shift(); port !== undefined; port = left.shift()) found[await knock(host, port)].push(port);
  };
  for (const port of open)
    await until(`port ${port} of ${host}`, { ms: 120_000, every: 500 }, async () =>
      (await knock(host, port)) === 'open' ? true : undefined,
    );
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  left.push(...found.silent.filter((port) => answers.includes(port)));
  found.silent = found.silent.filter((port) => !answers.includes(port));
  await worker();
  return found;
}

test('from outside port 25 is open, and every other port is silent', async () => {
  const found = await scan(PLACES.outside.box, { open: [25] });
  assert.deepEqual([found.open, found.refused], [[25], []]);
  assert.equal(found.silent.length, PORTS.length - 1);
});

test('from the office the pages are open beside it, and nothing else', async () => {
  const found = await scan(PLACES.inside.box, { open: [25, 80, 443], refusing: [465, 587, 10_025] });
  assert.deepEqual(
    found.open.toSorted((one, other) => one - other),
    [25, 80, 443],
  );
  // doors of the relay and of submission, where nobody listens yet
  assert.deepEqual(
    found.refused.toSorted((one, other) => one - other),
    [465, 587, 10_025],
  );
});
