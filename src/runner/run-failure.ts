export type RunFailureCode =
  'adapter_unknown' | 'adapter_failed' | 'spawn_failed' | 'spool_failed' | 'process_lost' | 'kill_failed';

/** A run that came to nothing for a reason other than what its process did. Becomes its outcome. */
export class RunFailure extends Error {
  constructor(
    readonly code: RunFailureCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'RunFailure';
  }
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  const message = (error as Partial<Error> | null)?.message;
  return typeof message === 'string' ? message : String(error);
}

/** Whether a file-system call failed because the thing is not there. */
export function isMissing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

export function killFailed(survivors: readonly number[]): RunFailure {
  return new RunFailure('kill_failed', `Could not be ended: process ${survivors.join(', ')} is still alive`);
}
