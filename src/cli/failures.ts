import { ReveilleError } from '../client';

/** What the command line answers its caller with. */
export const ExitCode = {
  ok: 0,
  /** What was asked for has failed, or was refused. */
  failed: 1,
  /** Wrong usage, or a wrong setting. */
  usage: 2,
  /** The server cannot be reached, or does not let the caller in. */
  noAccess: 3,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** Something that the user can understand and change: shown as one line. */
export class CliError extends Error {
  constructor(
    message: string,
    readonly exitCode: ExitCode,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'CliError';
  }
}

/** A call that has failed, in words that say what to do about it. */
export function explained(error: ReveilleError): CliError {
  const { code, status, message, details } = error;
  const hasNoAccess =
    code === 'unreachable' || code === 'not_reveille' || code === 'forbidden_host' || status === 401;
  return new CliError(
    withHint(code, status, message, details),
    hasNoAccess ? ExitCode.noAccess : ExitCode.failed,
    {
      cause: error,
    },
  );
}

function withHint(
  code: ReveilleError['code'],
  status: number | null,
  message: string,
  { field }: Readonly<Record<string, unknown>>,
): string {
  if (code === 'unreachable') return `${message}: is \`reveille serve\` running? Another address: --url`;
  if (status === 401)
    return `${message}: give --token, or the --data-dir of the server, which holds its admin token`;
  return typeof field === 'string' && field !== '' && !message.includes(field)
    ? `${message} (${field})`
    : message;
}
