/**
 * The part of the configuration the inspectors read, by shape: the whole Config fits, and this folder need not know it.
 * Read anew for each message, so that a reload holds from the next one on.
 */
import type { Bytes, Milliseconds } from '../base/brand.ts';

export interface InspectLimits {
  headerOctets: Bytes;
  headerFields: number;
  mimeParts: number;
  mimeDepth: number;
  /** Archives within archives that are opened. */
  archiveDepth: number;
  archiveFiles: number;
  archiveOctets: Bytes;
  /** Octets out per octet in. */
  archiveRatio: number;
}

export interface InspectSettings {
  hostname: string;
  limits: InspectLimits;
  engines: {
    clamd: { enabled: boolean; socket: string; timeoutMs: Milliseconds; concurrency: number };
    rspamd: { enabled: boolean; url: string; timeoutMs: Milliseconds; concurrency: number };
    inspect: { workers: number; timeoutMs: Milliseconds; memoryMiB: number };
    startingMs: Milliseconds;
  };
}
