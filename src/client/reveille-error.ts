import type { Problem } from '../http/problem';
import type { ErrorCode } from '../kernel/errors';

/**
 * Why a call has failed: a code of `docs/errors.md`, or one of the client's own. `unreachable`: nothing has answered,
 * or not in time. `not_reveille`: something else than Reveille has.
 */
export type ReveilleErrorCode = ErrorCode | 'unreachable' | 'not_reveille';

/** A call that was refused, or that nobody has answered. */
export class ReveilleError extends Error {
  override readonly name = 'ReveilleError';

  constructor(
    readonly code: ReveilleErrorCode,
    message: string,
    /** null: there was no answer. */
    readonly status: number | null,
    /** `field` names what was wrong, `issues` has all of it. */
    readonly details: Readonly<Record<string, unknown>> = {},
    /** When the server wants to be asked again; null: it doesn't say. */
    readonly retryAfterMs: number | null = null,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  /** Whether it makes sense to ask the same again in a moment. */
  get isTemporary(): boolean {
    return this.code === 'unreachable' || this.code === 'rate_limited' || this.status === 503;
  }
}

export function isTemporary(error: unknown): boolean {
  return error instanceof ReveilleError && error.isTemporary;
}

/** What an answer that is none of the good ones says. */
export async function refusalOf(response: Response): Promise<ReveilleError> {
  const { status } = response;
  const problem = (await response.json().catch(() => null)) as Partial<Problem> | null;
  const { code, detail, title, details } = problem ?? {};
  const retryAfterSec = Number(response.headers.get('retry-after') ?? Number.NaN);
  return new ReveilleError(
    code ?? 'not_reveille',
    detail ?? title ?? `the server answered with status ${status}`,
    status,
    details,
    Number.isFinite(retryAfterSec) ? retryAfterSec * 1_000 : null,
  );
}
