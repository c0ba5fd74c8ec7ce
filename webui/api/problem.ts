/** What went wrong, as the box said it (RFC 9457): a code the pages know words for, else its own message and remedy. */
export interface FieldProblem {
  path: string;
  message: string;
  remedy?: string;
}

export class ApiProblem extends Error {
  readonly status: number;
  readonly code: string;
  readonly remedy: string | undefined;
  readonly fields: readonly FieldProblem[];

  constructor(
    message: string,
    detail: { status: number; code: string; remedy?: string | undefined; fields?: readonly FieldProblem[] },
  ) {
    super(message);
    this.status = detail.status;
    this.code = detail.code;
    this.remedy = detail.remedy;
    this.fields = detail.fields ?? [];
  }
}

/** Whatever was thrown, as something a page can show. */
export function problemOf(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new ApiProblem(message, { status: 0, code: 'PAGE_FAULT' });
}
