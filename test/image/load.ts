/** Mail without end into a virtual machine whose cord is pulled again and again; what had its 250 must be at the office. */
import assert from 'node:assert/strict';
import { pause } from '../../src/base/deadline.ts';
import { plainMail } from '../support/mime-samples.ts';
import { until } from '../support/process.ts';
import { sendMail } from '../support/smtp-client.ts';
import type { SmtpSink } from '../support/smtp-sink.ts';
import type { Vm } from '../support/vm.ts';
import { type Office, untilBanner } from './world.ts';

const from = 'hanako@example.com';
/** So many mails, and up to nine more, are taken before a cut: so that cuts come at different moments. */
const LEAST = 4;

/** `next`: the machine that starts after that cut, when it is another one. */
export async function cutsUnderLoad(
  office: Office,
  { cuts, told, next }: { cuts: number; told: (line: string) => void; next?: (round: number) => Vm },
): Promise<void> {
  const { sink } = office;
  const has = (id: string): boolean => office.has(id);
  const kept = new Map<string, Buffer>();
  let sent = 0;
  for (let round = 1; round <= cuts; round += 1) {
    let cut = false;
    let { vm } = office;
    const sender = async (): Promise<void> => {
      while (!cut) {
        const id = `cut-${round}-${(sent += 1)}@x`;
        const bytes = plainMail({ messageId: id, text: `Number ${sent}\r\n${'0123456789'.repeat(7)}\r\n`.repeat(40) });
        const reply = await sendMail(vm.smtpPort, { from, to: 'a@office.example', bytes }).catch(() => undefined);
        if (reply?.code === 250) kept.set(id, bytes);
        else await pause(500);
      }
    };
    const before = kept.size;
    const load = Promise.all([sender(), sender(), sender()]);
    await until('mail taken before the cut', { ms: 300_000 }, () =>
      kept.size >= before + LEAST + ((round * 3) % 10) ? true : undefined,
    );
    await vm.powerCut();
    cut = true;
    await load;
    const arrived = idsAt(sink);
    vm = next?.(round) ?? vm;
    await vm.start();
    const inBox = [...kept.keys()].filter((id) => !arrived.has(id)).length;
    const up = (await untilBanner(vm)).toFixed(1);
    told(`cut ${round}: ${kept.size} taken so far, ${inBox} of them still in the box; 220 after ${up} s`);
  }
  await until('every mail at the office', { ms: 600_000, every: 250 }, () =>
    [...kept.keys()].every(has) ? true : undefined,
  ).catch(() => {
    throw new Error(`Lost: ${[...kept.keys()].filter((id) => !has(id)).join(' ')}`);
  });
  for (const [id, bytes] of kept) {
    const copies = sink.messages.filter((one) => one.bytes.includes(`Message-ID: <${id}>`));
    for (const copy of copies) assert.ok(copy.bytes.subarray(-bytes.length).equals(bytes), `${id} was altered`);
  }
  told(`${kept.size} taken, ${sink.messages.length} arrived`);
}

function idsAt({ messages }: SmtpSink): Set<string | undefined> {
  return new Set(messages.map(({ bytes }) => /Message-ID: <([^>]+)>/.exec(bytes.toString('latin1'))?.[1]));
}
