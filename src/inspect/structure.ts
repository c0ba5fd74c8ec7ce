/**
 * The MIME tree, streamed once: every leaf is decoded as it passes, its name and first octets looked at, zips listed, and
 * messages within the message entered (attached, encoded or only named `.eml`). More parts or depth than the limits: finding
 * *too-complex*; what cannot be parsed: *malformed*. Throws only when the source breaks. Memory: one zip at a time.
 */
import { once } from 'node:events';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type MimeNode, Splitter } from '@zone-eu/mailsplit';
import type { Bytes, Milliseconds } from '../base/brand.ts';
import { errorCode, SekishoError } from '../base/errors.ts';
import type { AttachmentTrait, Finding } from '../mail/finding.ts';
import { parseHeader } from '../mail/header.ts';
import { displayText, parseStructured, type StructuredValue, stripComments } from '../mail/words.ts';
import { type ArchiveBudget, gzipTraits, listZip, newBudget } from './archives.ts';
import { extensionOf, HEAD_OCTETS, kindOf, traitsByName } from './file-kinds.ts';
import type { InspectLimits } from './settings.ts';
import { tooComplex } from './summary.ts';
import { type Decoder, decoderFor } from './transfer-decoding.ts';

/** A zip larger than this is not held in memory: it is *unscannable*. Above our message size, so mail that fits is read. */
const MAX_ZIP: Bytes = 64 * 1024 * 1024;
/** A file embedded in OneNote notes: FileDataStoreObject (MS-ONESTORE §2.6.13). */
const ONENOTE_FILE = Buffer.from('e716e3bd65261145a4c48d4d0b7a9eac', 'hex');
const TOO_COMPLEX = 'TOO_COMPLEX';
const SOURCE_BROKE = 'SOURCE_BROKE';

interface Walk {
  limits: InspectLimits;
  budget: ArchiveBudget;
  findings: Finding[];
  parts: number;
  signal: AbortSignal;
}

/** Where in the tree a message stands. */
interface Place {
  depth: number;
  inside: string[];
}

export async function inspectStructure(
  source: Readable,
  options: { limits: InspectLimits; signal: AbortSignal; archiveMs?: Milliseconds },
): Promise<Finding[]> {
  const { limits, signal } = options;
  const budget = newBudget(limits, { ms: options.archiveMs ?? Number.POSITIVE_INFINITY, signal });
  const walk: Walk = { limits, budget, findings: [], parts: 0, signal };
  try {
    await walkMessage(reading(source), walk, { depth: 0, inside: [] });
  } catch (error) {
    const code = errorCode(error);
    if (signal.aborted || code === SOURCE_BROKE) throw error;
    const complex = code === TOO_COMPLEX || code === 'EMAXLEN';
    const detail = (error instanceof Error ? error.message : String(error)).slice(0, 300);
    walk.findings.push(complex ? tooComplex(detail) : { kind: 'structure', problem: 'malformed', detail });
  }
  return walk.findings;
}

/** Trouble with the source is ours, trouble with what it says is the message's. */
async function* reading(source: Readable): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) yield chunk;
  } catch (error) {
    throw new SekishoError(SOURCE_BROKE, 'Cannot read the message', { retryable: true, cause: error });
  }
}

async function walkMessage(source: AsyncIterable<Buffer>, walk: Walk, place: Place): Promise<void> {
  const { headerOctets, mimeParts } = walk.limits;
  const splitter = new Splitter({ ignoreEmbedded: true, maxHeadSize: headerOctets, maxChildNodes: mimeParts });
  let leaf: { node: MimeNode; visitor: Leaf } | undefined;
  const visit = async (chunks: AsyncIterable<unknown>): Promise<void> => {
    for await (const chunk of chunks as AsyncIterable<SplitterChunk>) {
      if (chunk.type === 'node') {
        await leaf?.visitor.end();
        leaf = undefined;
        countPart(chunk, walk, place);
        if (chunk.multipart === false || chunk._boundary === false)
          leaf = { node: chunk, visitor: new Leaf(chunk, walk, place) };
      } else if (leaf !== undefined && leaf.node === chunk.node) {
        // 'data' of a leaf's own is the body of a multipart that forgot its boundary
        if (chunk.type === 'body' || chunk.node.multipart !== false) await leaf.visitor.write(chunk.value);
      }
    }
    await leaf?.visitor.end();
  };
  await pipeline(source, splitter, visit, { signal: walk.signal });
}

type SplitterChunk = MimeNode | { type: 'body' | 'data'; node: MimeNode; value: Buffer };

function countPart(node: MimeNode, walk: Walk, place: Place): void {
  walk.parts += 1;
  if (walk.parts > walk.limits.mimeParts) {
    throw new SekishoError(TOO_COMPLEX, `The message has more than ${walk.limits.mimeParts} parts`);
  }
  let depth = place.depth;
  for (let parent = node.parentNode; parent !== false; parent = parent.parentNode) depth += 1;
  if (depth > walk.limits.mimeDepth) {
    throw new SekishoError(TOO_COMPLEX, `The parts are nested more than ${walk.limits.mimeDepth} deep`);
  }
}

/** One part without children, as its octets pass. */
class Leaf {
  readonly #walk: Walk;
  readonly #place: Place;
  readonly #name: string;
  /** Content-Disposition and Content-Type may name it differently, and programs differ in which they believe. */
  readonly #otherName: string;
  readonly #type: string;
  readonly #attached: boolean;
  readonly #decoder: Decoder | undefined;
  #head: Buffer[] = [];
  #headLength = 0;
  #size: Bytes = 0;
  /** All of it, while it may be a zip or notes. */
  #whole: Buffer[] | undefined = [];
  #message: { input: PassThrough; done: Promise<void> } | undefined;

  constructor(node: MimeNode, walk: Walk, place: Place) {
    this.#walk = walk;
    this.#place = place;
    const type = structured(node, 'content-type');
    const disposition = structured(node, 'content-disposition');
    const names = [disposition.parameters.get('filename') ?? '', type.parameters.get('name') ?? ''].filter(
      (name) => name !== '',
    );
    this.#name = (names[0] ?? '').slice(0, 1_000);
    this.#otherName = (names[1] ?? '').slice(0, 1_000);
    this.#type = type.value.slice(0, 200);
    this.#attached =
      this.#name !== '' || disposition.value === 'attachment' || !/^(?:text\/|multipart\/|$)/.test(this.#type);
    this.#decoder = decoderFor(stripComments(rawField(node, 'content-transfer-encoding')).trim().toLowerCase());
    const isMessage = /^message\/(?:rfc822|global|news)$/.test(this.#type) || extensionOf(this.#name) === 'eml';
    if (isMessage && this.#decoder !== undefined) this.#enter();
  }

  /** A message in the message is walked as its octets come. */
  #enter(): void {
    const input = new PassThrough();
    const inside = [...this.#place.inside, displayText(this.#name, 255) || 'message'];
    let depth = this.#place.depth + 1;
    depth = Math.max(depth, inside.length);
    const done =
      inside.length > this.#walk.limits.mimeDepth
        ? Promise.reject(new SekishoError(TOO_COMPLEX, 'Messages are nested too deep'))
        : walkMessage(input, this.#walk, { depth, inside });
    done.catch(() => input.destroy()); // told by whoever writes next, or by end()
    this.#message = { input, done };
  }

  async write(chunk: Buffer): Promise<void> {
    if (this.#decoder === undefined) {
      this.#size += chunk.length;
      return;
    }
    await this.#take(this.#decoder.write(chunk));
  }

  async #take(octets: Buffer): Promise<void> {
    if (octets.length === 0) return;
    this.#size += octets.length;
    if (this.#message !== undefined) {
      const { input, done } = this.#message;
      if (input.destroyed) await done; // throws why
      if (!input.write(octets)) await Promise.race([once(input, 'drain'), done]);
      return;
    }
    if (this.#headLength < HEAD_OCTETS) {
      const wanted = octets.subarray(0, HEAD_OCTETS - this.#headLength);
      this.#head.push(wanted);
      this.#headLength += wanted.length;
    }
    if (this.#whole === undefined) return;
    this.#whole.push(octets);
    if (this.#size > HEAD_OCTETS && this.#size - octets.length <= HEAD_OCTETS) {
      // by now it is known whether all of it will be wanted
      const kind = await kindOf({ name: this.#name, declaredType: this.#type, head: Buffer.concat(this.#head) });
      if (!kind.zip && !kind.oneNote && !/zip/.test(this.#type)) this.#whole = undefined;
    } else if (this.#size > MAX_ZIP) this.#whole = undefined;
  }

  async end(): Promise<void> {
    if (this.#decoder !== undefined) await this.#take(this.#decoder.end());
    if (this.#message !== undefined) {
      this.#message.input.end();
      await this.#message.done;
      return;
    }
    const head = Buffer.concat(this.#head);
    const kind = await kindOf({ name: this.#name, declaredType: this.#type, head });
    const traits = new Set<AttachmentTrait>(kind.traits);
    if (this.#otherName !== this.#name) for (const trait of traitsByName(this.#otherName)) traits.add(trait);
    let trueType = kind.trueType;
    const inner: Finding[] = [];
    // An encoding we cannot undo, or a piece of a message to be joined elsewhere, was not looked into.
    if ((this.#decoder === undefined && this.#attached) || this.#type === 'message/partial') traits.add('unscannable');
    if (kind.zip || /^application\/(?:x-)?zip/.test(this.#type)) {
      const result = await this.#listZip();
      for (const trait of result.traits) traits.add(trait);
      inner.push(...result.findings);
      trueType = result.trueType ?? trueType;
    } else if (kind.trueType === 'application/gzip') {
      for (const trait of await gzipTraits(head, this.#name)) traits.add(trait);
    } else if (kind.oneNote && this.#whole !== undefined && Buffer.concat(this.#whole).includes(ONENOTE_FILE)) {
      traits.add('script'); // a file to be started lies in the notes
    }
    if (this.#attached || traits.size > 0) this.#report([...traits], trueType);
    this.#walk.findings.push(...inner);
  }

  async #listZip(): Promise<Awaited<ReturnType<typeof listZip>>> {
    if (this.#whole === undefined) return { traits: ['unscannable'], findings: [] };
    if (this.#size === 0) return { traits: [], findings: [] };
    const bytes = Buffer.concat(this.#whole);
    this.#whole = undefined;
    const inside = [...this.#place.inside, displayText(this.#name, 255)];
    return await listZip(bytes, { inside, depth: 1, budget: this.#walk.budget });
  }

  #report(traits: AttachmentTrait[], trueType: string | undefined): void {
    this.#walk.findings.push({
      kind: 'attachment',
      name: displayText(this.#name, 255),
      inside: this.#place.inside,
      declaredType: displayText(this.#type, 200),
      ...(trueType === undefined ? {} : { trueType }),
      size: this.#size,
      traits,
    });
  }
}

/** The part's header in octets, as it was sent: mailsplit reads it as text and loses raw Japanese names. */
function rawField(node: MimeNode, key: string): string {
  const lines = node.headers === false ? Buffer.alloc(0) : node.headers.build();
  return parseHeader(lines).fields.find((field) => field.key === key)?.raw ?? '';
}

function structured(node: MimeNode, key: string): StructuredValue {
  return parseStructured(rawField(node, key));
}
