/** What an agent may do by itself, with the token of its run. Stored complete, but by registrations older than this. */
export interface AgentPermissions {
  /** Whom it may wake. */
  wake: 'none' | 'self' | 'company';
  /** Where agents wake each other, or themselves, again and again; null: they may. */
  loopLimit: LoopLimit | null;
}

/**
 * So many wakeups in a row, each caused by the run before it and no later than so many seconds after that had started,
 * are a loop. A person, a timer, or an agent that takes its time is the beginning of another row.
 */
export interface LoopLimit {
  wakeups: number;
  withinSec: number;
}

export const defaultPermissions: Readonly<AgentPermissions> = {
  wake: 'self',
  loopLimit: { wakeups: 50, withinSec: 60 },
};

/** The run, of an agent, that asks for a wakeup. */
export interface CausingRun {
  agentId: string;
  /** null: the agent asks outside of its runs. */
  runId: string | null;
  /** How many such wakeups in a row have led to the run. */
  inRow: number;
  /** ISO 8601; null: outside of its runs. */
  startedAt: string | null;
  /** Of the agent. */
  loopLimit: LoopLimit | null;
}

/**
 * The place in its row of the wakeup that a run asks for.
 *
 * @param dueAt when it is to happen, ISO 8601
 */
export function placeInRow({ inRow, startedAt, loopLimit }: CausingRun, dueAt: string): number {
  const passedMs = startedAt === null ? 0 : Date.parse(dueAt) - Date.parse(startedAt);
  return loopLimit !== null && passedMs >= loopLimit.withinSec * 1_000 ? 0 : inRow + 1;
}

export function isLoop({ loopLimit }: CausingRun, inRow: number): boolean {
  return loopLimit !== null && inRow > loopLimit.wakeups;
}
