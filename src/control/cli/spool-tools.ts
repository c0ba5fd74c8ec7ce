/**
 * What the commands for a stopped gateway's spool need of the spool: handed in by the entry, so that the command line knows
 * nothing of databases. Types, and the folders that can be exported.
 */

export const EXPORTABLE = ['incoming', 'queue', 'held', 'quarantine'] as const;
export type Exportable = (typeof EXPORTABLE)[number];

export interface DatabaseAnswer {
  state: 'whole' | 'damaged' | 'behind' | 'missing';
  why?: string;
}

/** What the entry hands in: the work itself is the spool's. `onProgress` is told after each message. */
export interface SpoolTools {
  check(
    root: string,
    onProgress: (done: number, total: number) => void,
  ): Promise<{
    cleanStop: boolean;
    database: DatabaseAnswer;
    folders: Record<Exportable | 'corrupt', { files: number; octets: number }>;
    drafts: number;
    damaged: string[];
    lost: string[];
    requeued: number;
    ok: boolean;
  }>;
  rebuild(root: string): Promise<{ files: number; requeued: number; corrupt: number; elapsedMs: number }>;
  exportTo(
    root: string,
    options: { to: string; folders?: Exportable[]; onProgress: (done: number, total: number) => void },
  ): Promise<{ exported: number; damaged: string[]; finished: number; database: DatabaseAnswer }>;
  importFrom(
    root: string,
    options: { from: string; onProgress: (done: number, total: number) => void },
  ): Promise<{ imported: number; already: number; refused: string[] }>;
}
