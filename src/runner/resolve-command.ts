import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, resolve } from 'node:path';
import { isMissing, messageOf, RunFailure } from './run-failure';

/**
 * The absolute path of the program that a command means, as a shell in `cwd` would find it.
 * @throws RunFailure `spawn_failed`, saying what is wrong
 */
export function resolveCommand(command: string, cwd: string, path: string | undefined): string {
  assertFolder(cwd);
  if (command.includes('/')) {
    const program = resolve(cwd, command);
    const obstacle = whyNotExecutable(program);
    if (obstacle) throw new RunFailure('spawn_failed', `Could not start ${command}: ${obstacle}`);
    return program;
  }
  let obstacle: string | null = null;
  for (const folder of (path ?? '').split(delimiter)) {
    const program = resolve(cwd, folder, command);
    const reason = whyNotExecutable(program);
    if (reason === null) return program;
    if (reason !== NOT_FOUND) obstacle ??= `${program}: ${reason}`;
  }
  const where = path ? `not found in PATH (${path})` : 'not found: PATH is empty';
  throw new RunFailure('spawn_failed', `Could not start ${command}: ${obstacle ?? where}`);
}

const NOT_FOUND = 'no such file';

function whyNotExecutable(program: string): string | null {
  try {
    const found = statSync(program, { throwIfNoEntry: false });
    if (!found) return NOT_FOUND;
    if (!found.isFile()) return 'not a file';
    accessSync(program, constants.X_OK);
    return null;
  } catch (error) {
    if (isMissing(error)) return NOT_FOUND;
    return (error as NodeJS.ErrnoException).code === 'EACCES' ? 'not executable' : messageOf(error);
  }
}

function assertFolder(cwd: string): void {
  let reason = 'it is not a folder';
  try {
    if (statSync(cwd).isDirectory()) return;
  } catch (error) {
    reason = isMissing(error) ? 'it does not exist' : messageOf(error);
  }
  throw new RunFailure('spawn_failed', `The working directory ${cwd} cannot be used: ${reason}`);
}
