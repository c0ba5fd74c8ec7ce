/**
 * Reads a UPS's values from NUT's upsd over TCP (RFC 9271): lines of text, one question a connection, an end in time. Only
 * reads: shutting down by a UPS is upsmon's work. Answers are bounded and taken apart strictly; anything odd is an error.
 */
import { createConnection } from 'node:net';
import { withDeadline } from '../base/deadline.ts';
import { SekishoError } from '../base/errors.ts';

const DEADLINE_MS = 5_000;
const MAX_OCTETS = 262_144;

export interface UpsReading {
  name: string;
  /** `ups.status` → `OL CHRG`, `battery.charge` → `100`, … */
  values: ReadonlyMap<string, string>;
}

/** The UPS of that name, or the first there is; undefined when upsd knows none. Rejects when upsd does not answer. */
export async function readUps(
  at: { host: string; port: number; name?: string | undefined },
  signal?: AbortSignal,
): Promise<UpsReading | undefined> {
  const name = at.name ?? (await listUps(at, signal))[0];
  if (name === undefined) return undefined;
  const lines = await ask(at, `LIST VAR ${name}`, signal);
  const values = new Map<string, string>();
  for (const line of lines) {
    const match = /^VAR \S+ (\S+) "((?:[^"\\]|\\.)*)"$/.exec(line);
    if (match !== null) values.set(match[1] ?? '', (match[2] ?? '').replaceAll(/\\(.)/g, '$1'));
  }
  return { name, values };
}

async function listUps(at: { host: string; port: number }, signal?: AbortSignal): Promise<string[]> {
  const lines = await ask(at, 'LIST UPS', signal);
  return lines.flatMap((line) => {
    const name = /^UPS ([A-Za-z0-9._-]{1,40}) /.exec(line)?.[1];
    return name === undefined ? [] : [name];
  });
}

/** The lines between BEGIN and END (RFC 9271 §4.2.5). */
function ask(at: { host: string; port: number }, question: string, signal?: AbortSignal): Promise<string[]> {
  return withDeadline(
    `Asking the UPS server "${question}"`,
    { ms: DEADLINE_MS, ...(signal ? { signal } : {}) },
    (end) =>
      new Promise((resolve, reject) => {
        const socket = createConnection({ host: at.host, port: at.port });
        let text = '';
        const fail = (error: Error): void => {
          socket.destroy();
          reject(error);
        };
        end.addEventListener('abort', () => socket.destroy(), { once: true });
        socket.once('error', fail);
        socket.once('close', () => reject(new SekishoError('UPS', 'The UPS server closed the connection')));
        socket.once('connect', () => socket.write(`${question}\n`));
        socket.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
          if (text.length > MAX_OCTETS) return fail(new SekishoError('UPS', 'The UPS server says too much'));
          const refused = /^ERR (\S+)/m.exec(text);
          if (refused !== null) return fail(new SekishoError('UPS', `The UPS server says "${refused[1]}"`));
          if (!/^END LIST [^\r\n]*\r?\n/m.test(text)) return;
          socket.end('LOGOUT\n');
          resolve(text.split('\n').filter((line) => !/^(?:BEGIN|END) LIST/.test(line)));
        });
      }),
  );
}
