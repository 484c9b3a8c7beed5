import { constants } from 'node:os';
import { lifecycle } from '../runs/domain/run.events';
import type { EndedTree } from './ending';
import type { EndingSignal } from './process-tree';
import type { RunOutcome } from './run-authority';
import type { RecordedExit } from './run-folder';
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

function exitOf({ recorded, waited, seenAt, sent }: ExecutionFacts) {
  const exitCode = recorded?.code ?? waited?.code ?? null;
  const exitedAt = recorded?.at ?? (waited && (waited.code ?? waited.signal) !== null ? seenAt : null);
  const signal = exitCode === null ? (waited?.signal ?? null) : signalBehind(exitCode, sent);
  return { exitCode, signal, exitedAt: exitedAt?.toISOString() ?? null };
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

/** A shell reports 128 + n for a child that died of signal n; so may a program. It was ours where we sent it. */
function signalBehind(exitCode: number, sent: readonly EndingSignal[]): EndingSignal | null {
  return sent.find((signal) => exitCode === 128 + constants.signals[signal]) ?? null;
}
