/**
 * What is known against the parts an image carries: the parts list (CycloneDX) held against a list of advisories. Pure; the
 * makers' tool (`scripts/advisories`) and the box use the same functions, so that both say the same. Versions are compared as
 * Debian does (deb-version(7)); for npm the list names the affected versions one by one.
 */
import { z } from 'zod';
import type { Weakness } from '../control/advisory-shapes.ts';

export const MAX_LIST = 4 * 1024 * 1024;
const short = z.string().min(1).max(200);

export const advisory = z.object({
  id: short,
  kind: z.enum(['debian', 'npm']),
  part: short,
  /** debian: every version below it is affected; without it all are. */
  fixed: short.optional(),
  /** npm: the affected ones. */
  versions: z.array(short).max(50).optional(),
  serious: z.boolean(),
  text: z.string().max(300),
});
export type Advisory = z.output<typeof advisory>;

export const advisoryList = z.object({
  format: z.literal(1),
  published: z.iso.datetime(),
  /** Of Sekisho, whose parts were looked up. */
  versions: z.array(short).min(1).max(100),
  /** What was asked about; the other kind is not known to be well, it is unknown. */
  looked: z.array(z.enum(['debian', 'npm'])).max(2),
  advisories: z.array(advisory).max(20_000),
});
export type AdvisoryList = z.output<typeof advisoryList>;

export interface Part {
  kind: 'debian' | 'npm';
  name: string;
  version: string;
}

const sbom = z.object({
  metadata: z.object({ component: z.object({ version: z.string() }) }),
  components: z.array(
    z.object({
      name: z.string(),
      version: z.string(),
      purl: z.string(),
      properties: z.array(z.object({ name: z.string(), value: z.string() })).optional(),
    }),
  ),
});

/** The parts by the names advisories use: for Debian source packages, each once. */
export function readParts(text: string): { version: string; parts: Part[] } {
  const { metadata, components } = sbom.parse(JSON.parse(text));
  const parts = new Map<string, Part>();
  for (const one of components) {
    const source = one.properties?.find(({ name }) => name === 'debian:source')?.value.split(' ');
    const part: Part | undefined = one.purl.startsWith('pkg:npm/')
      ? { kind: 'npm', name: one.name, version: one.version }
      : one.purl.startsWith('pkg:deb/')
        ? unsigned({ kind: 'debian', name: source?.[0] ?? one.name, version: source?.[1] ?? one.version })
        : undefined;
    if (part !== undefined) parts.set(`${part.kind} ${part.name} ${part.version}`, part);
  }
  return { version: metadata.component.version, parts: [...parts.values()] };
}

/** Debian's signed packages carry another's code: `linux-signed-amd64 6.12.117+1` is `linux 6.12.117-1`. */
function unsigned(part: Part): Part {
  if (part.name.startsWith('linux-signed-'))
    return { ...part, name: 'linux', version: part.version.replace(/\+(?=[^+]*$)/, '-') };
  // `1+2.12+dfsg1-9`: the signature's own version first
  if (/^grub-efi-.*-signed$/.test(part.name))
    return { ...part, name: 'grub2', version: part.version.replace(/^[\d.]+\+/, '') };
  if (part.name === 'shim-signed') return { ...part, name: 'shim', version: part.version.replace(/^[^+]*\+/, '') };
  return part;
}

export function weaknesses(list: AdvisoryList, parts: readonly Part[]): { serious: Weakness[]; others: Weakness[] } {
  const byName = Map.groupBy(parts, ({ kind, name }) => `${kind} ${name}`);
  const found = list.advisories.flatMap((one) =>
    (byName.get(`${one.kind} ${one.part}`) ?? [])
      .filter(({ version }) => affects(one, version))
      .map(({ version }) => ({
        serious: one.serious,
        weakness: {
          id: one.id,
          part: one.part,
          carried: version,
          ...(one.fixed === undefined ? {} : { fixed: one.fixed }),
          text: one.text,
        },
      })),
  );
  const of = (serious: boolean): Weakness[] =>
    found.filter((one) => one.serious === serious).map(({ weakness }) => weakness);
  return { serious: of(true), others: of(false) };
}

function affects({ kind, fixed, versions }: Advisory, version: string): boolean {
  if (kind === 'npm') return versions?.includes(version) === true;
  return fixed === undefined || compareDebian(version, fixed) < 0;
}

/** deb-version(7): epoch, then upstream, then revision. Below 0: `a` is older. */
export function compareDebian(a: string, b: string): number {
  const [left, right] = [split(a), split(b)];
  return (
    left.epoch - right.epoch || compareText(left.upstream, right.upstream) || compareText(left.revision, right.revision)
  );
}

function split(version: string): { epoch: number; upstream: string; revision: string } {
  const [, epoch = '0', rest = ''] = /^(?:(\d+):)?(.*)$/s.exec(version) ?? [];
  const dash = rest.lastIndexOf('-');
  return {
    epoch: Number(epoch),
    upstream: dash === -1 ? rest : rest.slice(0, dash),
    revision: dash === -1 ? '' : rest.slice(dash + 1),
  };
}

/** Turns of non-digits and digits; `~` is older than the end, letters are older than other signs. */
function compareText(a: string, b: string): number {
  let [left, right] = [a, b];
  while (left !== '' || right !== '') {
    const [x = '', y = ''] = [/^\D*/.exec(left)?.[0], /^\D*/.exec(right)?.[0]];
    for (let index = 0; index < Math.max(x.length, y.length); index += 1) {
      const order = weight(x[index]) - weight(y[index]);
      if (order !== 0) return order;
    }
    [left, right] = [left.slice(x.length), right.slice(y.length)];
    const [m = '', n = ''] = [/^\d*/.exec(left)?.[0], /^\d*/.exec(right)?.[0]];
    const [big, other] = [BigInt(m === '' ? '0' : m), BigInt(n === '' ? '0' : n)];
    if (big !== other) return big < other ? -1 : 1;
    [left, right] = [left.slice(m.length), right.slice(n.length)];
  }
  return 0;
}

function weight(sign: string | undefined): number {
  if (sign === undefined) return 0;
  if (sign === '~') return -1;
  return /[A-Za-z]/.test(sign) ? sign.charCodeAt(0) : sign.charCodeAt(0) + 256;
}
