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
