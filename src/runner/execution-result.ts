import { constants } from 'node:os';
import { lifecycle } from '../runs/domain/run.events';
import type { EndedTree } from './ending';
import type { RunOutcome } from './run-authority';
import type { RecordedExit } from './run-folder';
import { SIGNAL_BASE } from './run-folder';
import { RunFailure } from './run-failure';
import type { WaitedExit } from './spawner-messages';

/** How an execution came out, but for what the agent reported and wrote. */
export type ExecutionResult = Pick<RunOutcome, 'exitCode' | 'signal' | 'exitedAt' | 'errorCode' | 'error'>;

/** Nothing was executed, and nothing failed: the run was ended before. */
export const NOTHING_RAN: ExecutionResult = {
  exitCode: null,
  signal: null,
  exitedAt: null,
  errorCode: null,
  error: null,
};

/** Everything that is known when no process of the run is left, or none that could be ended. */
export interface ExecutionFacts extends EndedTree {
  /** What the wrapper wrote down. */
  recorded: RecordedExit | null;
  /** What this server saw of the wrapper; null while it lives. */
  waited: WaitedExit | null;
  seenAt: Date;
  wasUnexecuted: boolean;
  /** It was to be ended: then nobody has to say why it has no exit code. */
  wasEnded: boolean;
  failure: RunFailure | null;
}

export function resultOf(facts: ExecutionFacts): ExecutionResult {
  const exit = exitOf(facts);
  const failure = failureOf(facts, exit.exitCode);
  return { ...exit, errorCode: failure?.code ?? null, error: failure?.message ?? null };
}

function exitOf(facts: ExecutionFacts) {
  const { recorded, waited, seenAt } = facts;
  const exitCode = recorded?.code ?? waited?.code ?? null;
  const exitedAt = recorded?.at ?? (waited && (waited.code ?? waited.signal) !== null ? seenAt : null);
  return { exitCode, signal: signalOf(facts, exitCode), exitedAt: exitedAt?.toISOString() ?? null };
}

/** An exit code of 128 + n is reported as it is; the signal beside it, where somebody knows that it was one. */
function signalOf({ recorded, waited, sent }: ExecutionFacts, exitCode: number | null): string | null {
  if (exitCode === null) return waited?.signal ?? null;
  if (recorded?.isSignal) return nameOf(exitCode - SIGNAL_BASE);
  return sent.find((signal) => exitCode === SIGNAL_BASE + constants.signals[signal]) ?? null;
}

function failureOf(facts: ExecutionFacts, exitCode: number | null): RunFailure | null {
  const { survivors, failure, wasUnexecuted, wasEnded, waited, recorded } = facts;
  if (survivors.length > 0) {
    return new RunFailure(
      'kill_failed',
      `Could not be ended: process ${survivors.join(', ')} is still alive`,
    );
  }
  if (failure) return failure;
  if (waited !== null && waited.code !== null && recorded === null) {
    const message = 'The exit code could not be written down (is the disk full?): output may be missing';
    return new RunFailure('spool_failed', message);
  }
  if (wasUnexecuted) {
    return new RunFailure(
      'spawn_failed',
      `The command could not be executed (exit code ${exitCode} of the shell)`,
    );
  }
  return exitCode === null && !wasEnded ? new RunFailure('process_lost', lifecycle.processLost) : null;
}

/** Its number, where the system has no name for it (real-time signals). */
function nameOf(signal: number): string {
  const [name] = Object.entries(constants.signals).find(([, number]) => number === signal) ?? [];
  return name ?? `SIG${signal}`;
}
