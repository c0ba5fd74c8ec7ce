/**
 * The recipients of a relay domain as a file somebody keeps: `address`, `localpart` (of the domain that names the file) or
 * `@domain` (all of it), one a line, `#` starts a comment. Read again when the file changed. A file that is missing,
 * unreadable, empty or has no usable line answers `unknown` and raises an alarm: an accident with a list (a script that died
 * half-way, a disk that is not mounted) must never refuse an office's mail.
 */
import { readFile, stat } from 'node:fs/promises';
import { describeError } from '../base/errors.ts';
import { addressKey, type Domain, domainOf, type ForwardPath, parseAddress, parseDomain } from '../mail/address.ts';
import type { Observe } from '../observe/events.ts';
import type { RecipientAnswer } from './api.ts';

/** 64 MiB: a million addresses; more is not a list of recipients. */
const MAX_OCTETS = 67_108_864;

interface LoadedList {
  version: string;
  /** Undefined: cannot be used, `trouble` says why. */
  entries?: Set<string>;
  trouble?: string;
}

export class RecipientLists {
  readonly #observe: Observe;
  readonly #lists = new Map<string, LoadedList>();
  readonly #loading = new Map<string, Promise<LoadedList>>();
  /** Domain → its list that an alarm stands for. */
  readonly #alarms = new Map<Domain, string>();

  constructor(observe: Observe) {
    this.#observe = observe;
  }

  async check(recipient: ForwardPath, list: { file: string; domain: Domain }): Promise<RecipientAnswer> {
    const loaded = await this.#load(list.file, list.domain);
    if (loaded.entries === undefined)
      return { known: 'unknown', detail: loaded.trouble ?? 'The recipient list cannot be read' };
    const known = loaded.entries.has(addressKey(recipient)) || loaded.entries.has(`@${domainOf(recipient)}`);
    return { known: known ? 'yes' : 'no', detail: `${known ? '' : 'not '}listed in "${list.file}"` };
  }

  /** The domain's list is `file` now, or it has none: what was wrong with another one is no trouble any more. */
  settle(domain: Domain, file: string | undefined): void {
    const alarmed = this.#alarms.get(domain);
    if (alarmed !== undefined && alarmed !== file) this.#over(domain, alarmed);
  }

  /** The alarm is one for all domains with that list. */
  #over(domain: Domain, file: string): void {
    this.#alarms.delete(domain);
    if (![...this.#alarms.values()].includes(file)) this.#observe.clear('config-refused', file);
  }

  /** One reading at a time for each list, however many ask. */
  #load(file: string, domain: Domain): Promise<LoadedList> {
    const key = `${domain}\0${file}`;
    const loading = this.#loading.get(key);
    if (loading !== undefined) return loading;
    const work = this.#refresh(key, file, domain).finally(() => this.#loading.delete(key));
    this.#loading.set(key, work);
    return work;
  }

  async #refresh(key: string, file: string, domain: Domain): Promise<LoadedList> {
    const before = this.#lists.get(key);
    let loaded: LoadedList;
    try {
      const facts = await stat(file, { bigint: true });
      const version = `${facts.mtimeNs}:${facts.size}:${facts.ino}`;
      if (before?.version === version) return before;
      if (facts.size > MAX_OCTETS) loaded = { version, trouble: `"${file}" is too large for a recipient list` };
      else loaded = { version, ...this.#parse(await readFile(file, 'utf8'), file, domain) };
    } catch (error) {
      loaded = { version: 'unreadable', trouble: `Cannot read the recipient list "${file}" (${describeError(error)})` };
    }
    this.#lists.set(key, loaded);
    if (loaded.trouble === undefined) this.#over(domain, file);
    else if (loaded.trouble !== before?.trouble || this.#alarms.get(domain) !== file) {
      this.#alarms.set(domain, file);
      this.#observe.raise('config-refused', file, loaded.trouble);
    }
    return loaded;
  }

  #parse(text: string, file: string, domain: Domain): Pick<LoadedList, 'entries' | 'trouble'> {
    const entries = new Set<string>();
    let bad = 0;
    for (const line of text.replace(/^\ufeff/, '').split(/\r\n|\n|\r/)) {
      const word = line.replace(/(?:^|\s)#.*/s, '').trim();
      if (word === '') continue;
      const key = entryKey(word, domain);
      if (key === undefined) bad += 1;
      else entries.add(key);
    }
    if (bad > 0) this.#observe.log('warn', `The recipient list "${file}" has ${bad} lines that are no address`);
    if (entries.size === 0) return { trouble: `The recipient list "${file}" names nobody` };
    return { entries };
  }
}

function entryKey(word: string, domain: Domain): string | undefined {
  if (word.startsWith('@')) {
    const all = parseDomain(word.slice(1));
    return all === undefined ? undefined : `@${all}`;
  }
  const parts = parseAddress(word.includes('@') ? word : `${word}@${domain}`);
  return parts === undefined ? undefined : `${parts.localpart}@${parts.domain}`.toLowerCase();
}
