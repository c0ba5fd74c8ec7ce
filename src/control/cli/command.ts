/** What a command of the CLI is, and what it gets to work with. */
import type { Language, Text } from '../../base/i18n.ts';
import type { AdminClient } from '../admin-client.ts';
import type { ControlClient } from '../client.ts';
import type { HostClient } from '../host-client.ts';
import type { ConfigProblemAnswer } from '../shapes.ts';
import type { OptionDefinition, ParsedArguments } from './arguments.ts';
import type { Look } from './output.ts';
import type { SpoolTools } from './spool-tools.ts';

/** Documented in `sekisho help exit-codes`. */
export const EXIT = { ok: 0, negative: 1, usage: 2, notFound: 3, unreachable: 4, refused: 5 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** The outside, handed in by the entry. */
export interface CliIo {
  env: Readonly<Record<string, string | undefined>>;
  /** Of the terminal, undefined when the output is none. */
  columns: number | undefined;
  /** Milliseconds since 1970. */
  now: () => number;
  /** On record for changes. */
  user: string;
  version: string;
  out: (text: string) => void;
  err: (text: string) => void;
  connect: (options: { socket: string; by: string }) => ControlClient;
  host: (options: { socket: string; by: string }) => HostClient;
  /** The process of the pages. */
  admin: (options: { socket: string; by: string }) => AdminClient;
  /** A small file; undefined: there is none. Throws when it may not be read. */
  textFile: (file: string) => Promise<{ text: string; writtenAt: number } | undefined>;
  /** A small file as it is; undefined: there is none. */
  octets: (file: string) => Promise<Buffer | undefined>;
  exists: (file: string) => Promise<boolean>;
  /** Loaded when it is needed: no other command opens a database. */
  spool: () => Promise<SpoolTools>;
  /** Throws NOT_FOUND. */
  checkFile: (file: string) => Promise<{ ok: boolean; problems: ConfigProblemAnswer[] }>;
}

export interface CommandContext {
  language: Language;
  look: Look;
  /** The words behind the command's own. */
  args: string[];
  options: ParsedArguments['options'];
  flags: ParsedArguments['flags'];
  io: CliIo;
  client: ControlClient;
  /** `--json`: the answer exactly; otherwise the words of `text`. */
  print: (answer: unknown, text: () => string) => void;
}

export interface Command {
  /** `queue list` */
  name: string;
  /** `ID`, `PATH VALUE`, `[FILE]`: as many words are needed, those in brackets may be left out, `…` repeats. */
  args: string;
  summary: Text;
  options?: readonly OptionDefinition[];
  examples?: readonly string[];
  run: (context: CommandContext) => Promise<ExitCode>;
}

/** The argument at `index`; the dispatcher has already counted them. */
export function argument(context: CommandContext, index: number): string {
  return context.args[index] ?? '';
}
