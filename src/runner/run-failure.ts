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

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Whether a file-system call failed because the thing is not there. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}
