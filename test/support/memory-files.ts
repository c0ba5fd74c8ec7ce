/**
 * A file layer that knows what a power cut leaves: octets up to the last sync of the file, names up to the last sync of the
 * directory. `cut()` forgets the rest. It can also fail at a chosen call. Stricter than ext4: a rename is durable in each of
 * its two directories only when that directory was synced, so a cut may leave both names.
 */
import path from 'node:path';
import type { FileLayer, Space } from '../../src/spool/files.ts';

interface FileNode {
  kind: 'file';
  content: Buffer;
  synced: Buffer;
}
interface DirectoryNode {
  kind: 'directory';
  entries: Map<string, Node>;
  durable: Map<string, Node>;
}
type Node = FileNode | DirectoryNode;

export type Call = 'write' | 'sync' | 'rename' | 'syncDirectory' | 'unlink' | 'create' | 'makeDirectory';

export class MemoryFiles implements FileLayer {
  readonly #root: DirectoryNode = { kind: 'directory', entries: new Map(), durable: new Map() };
  /** Calls made, by name. */
  readonly calls: Record<Call, number> = {
    write: 0,
    sync: 0,
    rename: 0,
    syncDirectory: 0,
    unlink: 0,
    create: 0,
    makeDirectory: 0,
  };
  /** Throw to fail this call. */
  onCall: (call: Call, path: string) => void = () => undefined;
  freeOctets = 100 * 2 ** 30;

  constructor(root: string) {
    this.#ensure(root);
  }

  /** The power goes: what was not synced is gone. */
  cut(): void {
    const restore = (directory: DirectoryNode): void => {
      directory.entries = new Map(directory.durable);
      for (const node of directory.entries.values()) {
        if (node.kind === 'file') node.content = Buffer.from(node.synced);
        else restore(node);
      }
    };
    restore(this.#root);
  }

  /** Every file path with its octets. */
  tree(): Map<string, Buffer> {
    const found = new Map<string, Buffer>();
    const walk = (directory: DirectoryNode, at: string): void => {
      for (const [name, node] of directory.entries) {
        if (node.kind === 'file') found.set(`${at}/${name}`, node.content);
        else walk(node, `${at}/${name}`);
      }
    };
    walk(this.#root, '');
    return found;
  }

  /** Overwrites octets in place, as a bad disk does. */
  damage(file: string, change: (content: Buffer) => Buffer): void {
    const node = this.#file(file);
    node.content = change(Buffer.from(node.content));
    node.synced = Buffer.from(node.content);
  }

  async makeDirectory(directory: string): Promise<void> {
    this.#called('makeDirectory', directory);
    const parent = this.#directory(path.dirname(directory));
    const name = path.basename(directory);
    if (!parent.entries.has(name)) {
      parent.entries.set(name, { kind: 'directory', entries: new Map(), durable: new Map() });
    }
  }

  async removeDirectory(directory: string): Promise<void> {
    const node = this.#directory(directory);
    if (node.entries.size > 0) throw failure('ENOTEMPTY', directory);
    this.#directory(path.dirname(directory)).entries.delete(path.basename(directory));
  }

  async syncDirectory(directory: string): Promise<void> {
    this.#called('syncDirectory', directory);
    const node = this.#directory(directory);
    node.durable = new Map(node.entries);
  }

  async modified(): Promise<number> {
    return Date.UTC(2026, 10, 21);
  }

  async list(directory: string): Promise<string[]> {
    const node = this.#find(directory);
    return node?.kind === 'directory' ? [...node.entries.keys()] : [];
  }

  async create(file: string): ReturnType<FileLayer['create']> {
    this.#called('create', file);
    const parent = this.#directory(path.dirname(file));
    if (parent.entries.has(path.basename(file))) throw failure('EEXIST', file);
    const node: FileNode = { kind: 'file', content: Buffer.alloc(0), synced: Buffer.alloc(0) };
    parent.entries.set(path.basename(file), node);
    return {
      write: async (buffers) => {
        this.#called('write', file);
        node.content = Buffer.concat([node.content, ...buffers]);
      },
      sync: async () => {
        this.#called('sync', file);
        node.synced = Buffer.from(node.content);
      },
      close: async () => undefined,
    };
  }

  /** What is overwritten may be on the disk before any sync, in part: a cut leaves old and new octets mixed. */
  async reuse(file: string): ReturnType<FileLayer['reuse']> {
    const node = this.#file(file);
    let written = 0;
    return {
      write: async (buffers) => {
        this.#called('write', file);
        const octets = Buffer.concat(buffers);
        const before = node.content.subarray(0, written);
        node.content = Buffer.concat([before, octets, node.content.subarray(written + octets.length)]);
        written += octets.length;
        node.synced = Buffer.from(node.content);
      },
      sync: async () => {
        this.#called('sync', file);
        node.content = node.content.subarray(0, written);
        node.synced = Buffer.from(node.content);
      },
      close: async () => undefined,
    };
  }

  async empty(file: string): Promise<void> {
    this.#called('write', file);
    const node = this.#file(file);
    node.content = Buffer.alloc(0);
    node.synced = node.content;
  }

  async open(file: string): ReturnType<FileLayer['open']> {
    const node = this.#file(file);
    return {
      size: node.content.length,
      read: async (position, length) => Buffer.from(node.content.subarray(position, position + length)),
      close: async () => undefined,
    };
  }

  async rename(from: string, to: string): Promise<void> {
    this.#called('rename', to);
    const node = this.#find(from);
    if (node === undefined) throw failure('ENOENT', from);
    this.#directory(path.dirname(to)).entries.set(path.basename(to), node);
    this.#directory(path.dirname(from)).entries.delete(path.basename(from));
  }

  async link(from: string, to: string): Promise<void> {
    const node = this.#file(from);
    this.#directory(path.dirname(to)).entries.set(path.basename(to), node);
  }

  async unlink(file: string): Promise<void> {
    this.#called('unlink', file);
    const parent = this.#directory(path.dirname(file));
    if (!parent.entries.delete(path.basename(file))) throw failure('ENOENT', file);
  }

  async space(): Promise<Space> {
    return { freeOctets: this.freeOctets, totalOctets: 200 * 2 ** 30, freeInodes: 1_000_000, totalInodes: 1_000_000 };
  }

  #called(call: Call, at: string): void {
    this.calls[call] += 1;
    this.onCall(call, at);
  }

  #find(at: string): Node | undefined {
    let node: Node = this.#root;
    for (const part of at.split('/').filter((name) => name !== '')) {
      if (node.kind !== 'directory') return undefined;
      const next = node.entries.get(part);
      if (next === undefined) return undefined;
      node = next;
    }
    return node;
  }

  #directory(at: string): DirectoryNode {
    const node = this.#find(at);
    if (node?.kind !== 'directory') throw failure('ENOENT', at);
    return node;
  }

  #file(at: string): FileNode {
    const node = this.#find(at);
    if (node?.kind !== 'file') throw failure('ENOENT', at);
    return node;
  }

  #ensure(at: string): void {
    let node = this.#root;
    for (const part of at.split('/').filter((name) => name !== '')) {
      const next: Node = node.entries.get(part) ?? { kind: 'directory', entries: new Map(), durable: new Map() };
      node.entries.set(part, next);
      node.durable.set(part, next);
      node = next as DirectoryNode;
    }
  }
}

export function failure(code: string, at: string): Error {
  return Object.assign(new Error(`${code}: ${at}`), { code });
}
