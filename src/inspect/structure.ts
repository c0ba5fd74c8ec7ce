/**
 * The MIME tree, streamed once: every leaf is decoded as it passes, its name and first octets looked at, archives listed, and
 * messages within the message entered (attached, encoded or only named `.eml`). More parts or depth than the limits: finding
 * *too-complex*; what cannot be parsed: *malformed*. Throws only when the source breaks. Memory: one archive at a time.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { Bytes, Milliseconds } from '../base/brand.ts';
import { errorCode, SekishoError } from '../base/errors.ts';
import type { AttachmentTrait, Finding } from '../mail/finding.ts';
import { displayText } from '../mail/words.ts';
import { type ArchiveBudget, type ArchiveResult, newBudget, notesHold, openArchive } from './archives.ts';
import { extensionOf, type FileKind, HEAD_OCTETS, isZipName, kindOf, traitsByName } from './file-kinds.ts';
import { type MimeEvent, MimeWalk, TOO_COMPLEX } from './mime-walk.ts';
import type { MimePart } from './part-header.ts';
import type { InspectLimits } from './settings.ts';
import { tooComplex } from './summary.ts';
import { isTnef, readTnef } from './tnef.ts';
import { type Decoder, decoderFor } from './transfer-decoding.ts';
import { UuScan } from './uuencode.ts';
import { lookWithin } from './within.ts';

/** An archive larger than this is not held in memory: it is *unscannable*. Above our message size, so mail that fits is read. */
const MAX_ZIP: Bytes = 64 * 1024 * 1024;
/** Others have mail too: after so many octets they have a turn. */
const TURN: Bytes = 1024 * 1024;
const SOURCE_BROKE = 'SOURCE_BROKE';

interface Walk {
  limits: InspectLimits;
  budget: ArchiveBudget;
  findings: Finding[];
  /** Two programs may find different parts in the message; told once. */
  doubt: string | undefined;
  parts: number;
  signal: AbortSignal;
}

/** Where in the tree a message stands. */
interface Place {
  depth: number;
  inside: string[];
}

export async function inspectStructure(
  source: AsyncIterable<Buffer> | Iterable<Buffer>,
  options: { limits: InspectLimits; signal: AbortSignal; archiveMs?: Milliseconds },
): Promise<Finding[]> {
  const { limits, signal } = options;
  const budget = newBudget(limits, { ms: options.archiveMs ?? Number.POSITIVE_INFINITY, signal });
  const walk: Walk = { limits, budget, findings: [], doubt: undefined, parts: 0, signal };
  try {
    const message = new Message(walk, { depth: 0, inside: [] });
    let octets = 0;
    for await (const chunk of reading(source)) {
      signal.throwIfAborted();
      await message.write(chunk);
      octets += chunk.length;
      if (octets > TURN) await turn();
      if (octets > TURN) octets = 0;
    }
    await message.end();
    if (walk.doubt !== undefined) walk.findings.push({ kind: 'structure', problem: 'malformed', detail: walk.doubt });
  } catch (error) {
    const code = errorCode(error);
    if (signal.aborted || code === SOURCE_BROKE) throw error;
    const complex = code === TOO_COMPLEX;
    const detail = (error instanceof Error ? error.message : String(error)).slice(0, 300);
    walk.findings.push(complex ? tooComplex(detail) : { kind: 'structure', problem: 'malformed', detail });
  }
  return walk.findings;
}

/** Trouble with the source is ours, trouble with what it says is the message's. */
async function* reading(source: AsyncIterable<Buffer> | Iterable<Buffer>): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of source) yield chunk;
  } catch (error) {
    throw new SekishoError(SOURCE_BROKE, 'Cannot read the message', { retryable: true, cause: error });
  }
}

/** A message as its octets come: the whole one, or one within it. */
class Message {
  readonly #walk: Walk;
  readonly #place: Place;
  readonly #mime: MimeWalk;
  #leaf: Leaf | undefined;

  constructor(walk: Walk, place: Place) {
    this.#walk = walk;
    this.#place = place;
    this.#mime = new MimeWalk(walk.limits);
  }

  async write(chunk: Buffer): Promise<void> {
    for (const event of this.#mime.feed(chunk)) await this.#take(event);
  }

  async end(): Promise<void> {
    for (const event of this.#mime.end()) await this.#take(event);
    await this.#leaf?.end();
    this.#walk.doubt ??= this.#mime.doubt;
  }

  async #take(event: MimeEvent): Promise<void> {
    if ('content' in event) return await this.#leaf?.write(event.content);
    await this.#leaf?.end();
    this.#leaf = undefined;
    if ('end' in event) return;
    this.#count(event.part);
    if (event.part.leaf) this.#leaf = new Leaf(event.part, this.#walk, this.#place);
  }

  #count({ depth }: MimePart): void {
    const { limits } = this.#walk;
    this.#walk.parts += 1;
    if (this.#walk.parts > limits.mimeParts)
      throw new SekishoError(TOO_COMPLEX, `The message has more than ${limits.mimeParts} parts`);
    if (this.#place.depth + depth > limits.mimeDepth)
      throw new SekishoError(TOO_COMPLEX, `The parts are nested more than ${limits.mimeDepth} deep`);
  }
}

/** One part without children, as its octets pass. */
class Leaf {
  readonly #walk: Walk;
  readonly #place: Place;
  readonly #name: string;
  /** All it may be called, by one program or another. */
  readonly #names: readonly string[];
  readonly #type: string;
  readonly #attached: boolean;
  /** Somebody will take it for a zip, whatever it is. */
  readonly #zip: boolean;
  readonly #decoder: Decoder | undefined;
  #head: Buffer[] = [];
  #headLength = 0;
  #size: Bytes = 0;
  /** All of it, while it may be an archive or notes. */
  #whole: Buffer[] | undefined = [];
  #message: Message | undefined;
  /** Of a text: files may stand in it. */
  readonly #uu: UuScan | undefined;
  #kind: FileKind | undefined;

  constructor(part: MimePart, walk: Walk, place: Place) {
    this.#walk = walk;
    this.#place = place;
    const { type, disposition } = part;
    this.#names = part.names;
    this.#name = part.names[0] ?? '';
    this.#type = type.value.slice(0, 200);
    this.#attached =
      this.#name !== '' || disposition.value === 'attachment' || !/^(?:text\/|multipart\/|$)/.test(this.#type);
    this.#zip = /^application\/(?:x-)?zip/.test(this.#type) || this.#names.some(isZipName);
    this.#decoder = decoderFor(part.encoding);
    const isMessage =
      /^message\/(?:rfc822|global|news)$/.test(this.#type) || this.#names.some((name) => extensionOf(name) === 'eml');
    if (isMessage && this.#decoder !== undefined) this.#enter();
    this.#uu = !this.#attached && /^(?:text\/plain)?$/.test(this.#type) ? new UuScan() : undefined;
  }

  /** A message in the message is walked as its octets come. */
  #enter(): void {
    const inside = [...this.#place.inside, displayText(this.#name, 255) || 'message'];
    if (inside.length > this.#walk.limits.mimeDepth)
      throw new SekishoError(TOO_COMPLEX, 'Messages are nested too deep');
    const depth = Math.max(this.#place.depth + 1, inside.length);
    this.#message = new Message(this.#walk, { depth, inside });
  }

  async write(chunk: Buffer): Promise<void> {
    if (this.#decoder === undefined) this.#size += chunk.length;
    else if (
      this.#kind !== undefined &&
      this.#whole === undefined &&
      this.#message === undefined &&
      this.#uu === undefined
    )
      this.#size += this.#decoder.count(chunk);
    else await this.#take(this.#decoder.write(chunk));
  }

  async #take(octets: Buffer): Promise<void> {
    if (octets.length === 0) return;
    this.#size += octets.length;
    // one program opens it as a message, the next one saves it under its name
    await this.#message?.write(octets);
    this.#uu?.feed(octets);
    if (this.#headLength < HEAD_OCTETS) {
      const wanted = octets.subarray(0, HEAD_OCTETS - this.#headLength);
      this.#head.push(wanted);
      this.#headLength += wanted.length;
    }
    if (this.#whole === undefined) return;
    this.#whole.push(octets);
    if (this.#kind === undefined && this.#headLength === HEAD_OCTETS) {
      // by now it is known whether all of it will be wanted
      this.#kind = await this.#kindOfHead();
      const { zip, packed, oneNote } = this.#kind;
      const wanted = zip || packed !== undefined || oneNote || this.#zip || isTnef(this.#head[0] as Buffer);
      if (!wanted) this.#whole = undefined;
    } else if (this.#size > MAX_ZIP) this.#whole = undefined;
  }

  async #kindOfHead(): Promise<FileKind> {
    this.#head = [joined(this.#head)];
    const file = { name: this.#name, declaredType: this.#type, head: this.#head[0] as Buffer };
    return await kindOf(file, { typeWanted: this.#attached && this.#message === undefined });
  }

  async end(): Promise<void> {
    if (this.#decoder !== undefined) await this.#take(this.#decoder.end());
    await this.#message?.end();
    const kind = this.#kind ?? (await this.#kindOfHead());
    const head = this.#head[0] as Buffer;
    const traits = new Set<AttachmentTrait>(kind.traits);
    for (const name of this.#names.slice(1)) for (const trait of traitsByName(name)) traits.add(trait);
    let trueType = kind.trueType;
    const inner: Finding[] = [];
    // An encoding we cannot undo, or a piece of a message to be joined elsewhere, was not looked into.
    if ((this.#decoder === undefined && this.#attached) || this.#type === 'message/partial') traits.add('unscannable');
    const zip = kind.zip || this.#zip;
    if (zip || kind.packed !== undefined) {
      const result = await this.#openArchive({ zip, packed: kind.packed, names: this.#names });
      for (const trait of result.traits) traits.add(trait);
      inner.push(...result.findings);
      trueType = result.trueType ?? trueType;
    } else if (kind.oneNote && this.#whole !== undefined && notesHold(joined(this.#whole))) {
      traits.add('script'); // a file to be started lies in the notes
    }
    const within = await this.#lookWithin(head);
    for (const trait of within.traits) traits.add(trait);
    inner.push(...within.findings);
    if ((this.#attached && this.#message === undefined) || traits.size > 0) this.#report([...traits], trueType);
    this.#walk.findings.push(...inner);
  }

  /** Files that are no parts: Outlook's wrapping, and what stands in a text. */
  async #lookWithin(head: Buffer): ReturnType<typeof lookWithin> {
    const { budget } = this.#walk;
    const { inside } = this.#place;
    if (isTnef(head)) {
      const { files, whole } = readTnef(this.#whole === undefined ? head : joined(this.#whole));
      const looked = await lookWithin(files, { inside: [...inside, displayText(this.#name, 255)], budget });
      return whole ? looked : { ...looked, traits: [...looked.traits, 'unscannable'] };
    }
    if (this.#uu === undefined) return { traits: [], findings: [] };
    this.#uu.end();
    const files = this.#uu.files.map(({ name, octets }) => ({ names: [name], octets }));
    const looked = await lookWithin(files, { inside, budget });
    return this.#uu.full ? { ...looked, traits: ['unscannable'] } : looked;
  }

  async #openArchive(as: Parameters<typeof openArchive>[1]['as']): Promise<ArchiveResult> {
    if (this.#whole === undefined) return { traits: ['unscannable'], findings: [] };
    if (this.#size === 0) return { traits: [], findings: [] };
    const bytes = joined(this.#whole);
    this.#whole = undefined;
    const inside = [...this.#place.inside, displayText(this.#name, 255)];
    return await openArchive(bytes, { as, inside, depth: 1, budget: this.#walk.budget });
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

function joined(pieces: readonly Buffer[]): Buffer {
  const [only] = pieces;
  return only !== undefined && pieces.length === 1 ? only : Buffer.concat(pieces);
}
