/**
 * The one error class of the product. `code` is for programs (`SPOOL_FULL`), `message` for the log (capital, active
 * voice, values in quotes, no period), `remedy` for the owner. What a peer may hear is a reply, never this message.
 */
export class SekishoError extends Error {
  override readonly name = 'SekishoError';
  readonly code: string;
  /** True when the same call may succeed later without anyone changing anything. */
  readonly retryable: boolean;
  readonly remedy: string | undefined;

  constructor(code: string, message: string, options: { retryable?: boolean; remedy?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.remedy = options.remedy;
  }
}

/** The message of anything thrown, causes included, on one line. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : ` (${describeError(error.cause)})`;
  return `${error.message.replaceAll(/\s+/g, ' ')}${cause}`;
}

/** The `code` of a thrown value (`ENOSPC`, `SPOOL_FULL`), or undefined. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string')
    return error.code;
  return undefined;
}
