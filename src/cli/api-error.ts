import type { Problem } from '../http/problem';
import { CliError, ExitCode } from './failures';

/** The server did not answer, or something else than a Reveille server did. */
export class ServerUnreachable extends CliError {
  constructor(message: string, cause: unknown) {
    super(message, ExitCode.noAccess, { cause });
    this.name = 'ServerUnreachable';
  }
}

/** The server has answered with a problem. */
export class RequestRefused extends CliError {
  constructor(
    readonly status: number,
    readonly problem: Partial<Problem>,
  ) {
    const isUnknown = status === 401 || status === 403;
    super(messageOf(status, problem), isUnknown ? ExitCode.noAccess : ExitCode.failed);
    this.name = 'RequestRefused';
  }
}

/** Whether it makes sense to ask again in a moment. */
export function isTemporary(error: unknown): boolean {
  return error instanceof ServerUnreachable || (error instanceof RequestRefused && error.status === 503);
}

function messageOf(status: number, { detail, title, details }: Partial<Problem>): string {
  const text = detail ?? title ?? `the server answered with status ${status}`;
  if (status === 401)
    return `${text}: give --token, or the --data-dir of the server, which holds its admin token`;
  const field = details?.['field'];
  return typeof field === 'string' && field !== '' && !text.includes(field) ? `${text} (${field})` : text;
}
