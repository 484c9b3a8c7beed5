import type { Dice } from '../support/dice';

/** What an agent of the rounds does in each of its runs (see `agent.cjs`). */
export interface Behaviour {
  writes: number;
  /** Of each write. */
  bytes: number;
  form: 'text' | 'long line' | 'binary';
  /** Between two writes. */
  pauseMs: number;
  /** How many of the writes are followed by a line about usage. */
  usageLines: number;
  /** What the result adds to that; 0: there is no result. */
  resultMicros: number;
  /** After the result. */
  lingerMs: number;
  exitCode: number;
  onTerm: 'die' | 'ignore' | 'leave';
  /** How long a child in a session of its own would live; 0: there is none. */
  childSec: number;
  closesOutput: boolean;
}

export interface AgentPlan {
  name: string;
  /** How often it is woken, compared to the others. */
  weight: number;
  policy: { whenBusy?: string; maxConcurrentRuns?: number; logQuotaBytes?: number } & Record<string, unknown>;
  behaviour: Behaviour;
  /** It is woken with keys, so that several of its runs may go on at once. */
  hasKeys: boolean;
}

export const faultKinds = [
  { kind: 'kill -9', weight: 40 },
  { kind: 'kill -9 as soon as it serves again', weight: 12 },
  { kind: 'kill -9 during the start', weight: 16 },
  { kind: 'SIGTERM', weight: 12 },
  { kind: 'SIGTERM, then kill -9', weight: 6 },
  { kind: 'SIGSTOP for a moment', weight: 6 },
  { kind: 'SIGSTOP, then kill -9', weight: 8 },
] as const;

export type FaultKind = (typeof faultKinds)[number]['kind'];

export interface Round {
  kind: FaultKind;
  /** How long the load goes on before the fault, and how many wakeups have to be acknowledged meanwhile. */
  afterMs: number;
  afterWakeups: number;
  /** Between the two halves of a fault that has two. */
  betweenMs: number;
}

/** The same dice throw the same rounds. */
export function planRounds(count: number, dice: Dice): Round[] {
  return Array.from({ length: count }, () => ({
    kind: dice.weighted(faultKinds).kind,
    // Mostly in the middle of things; now and then there is time to finish some.
    afterMs: dice.upTo(3) === 0 ? 2_000 + dice.upTo(3_000) : dice.upTo(1_500),
    afterWakeups: dice.upTo(40),
    betweenMs: 10 + dice.upTo(900),
  }));
}

/** What an agent does where nothing else is said. */
export const quiet: Behaviour = {
  ...{ writes: 3, bytes: 200, form: 'text', pauseMs: 20, usageLines: 1, resultMicros: 93, lingerMs: 0 },
  ...{ exitCode: 0, onTerm: 'die', childSec: 0, closesOutput: false },
};

/** Agents of every policy and of every kind of trouble. */
export const agentPlans: readonly AgentPlan[] = [
  agent('follow-up', 6, {}, {}),
  agent('coalesce', 5, { whenBusy: 'coalesce' }, { pauseMs: 60, usageLines: 3 }),
  agent('enqueue', 3, { whenBusy: 'enqueue', maxConcurrentRuns: 3 }, { writes: 2 }, true),
  agent(
    'interrupt',
    2,
    { whenBusy: 'interrupt', graceSec: 1 },
    { writes: 10, pauseMs: 100, onTerm: 'leave' },
  ),
  agent('reject', 5, { whenBusy: 'reject', maxConcurrentRuns: 2 }, { form: 'binary', bytes: 5_000 }, true),
  agent('failing', 3, { retry: { maxAttempts: 3, backoffSec: 1 } }, { exitCode: 3 }),
  agent('on a timer', 1, { intervalSec: 1 }, { resultMicros: 0, usageLines: 0 }),
  agent('deaf', 1, { timeoutSec: 1, graceSec: 1 }, { writes: 300, pauseMs: 100, onTerm: 'ignore' }),
  agent('mute', 1, { silenceTimeoutSec: 1, graceSec: 1 }, { lingerMs: 60_000 }),
  agent('with a child that stays', 2, {}, { childSec: 300 }),
  agent(
    'noisy',
    3,
    { maxConcurrentRuns: 2 },
    { form: 'binary', bytes: 60_000, writes: 8, pauseMs: 10 },
    true,
  ),
  agent('of long lines', 2, {}, { form: 'long line', bytes: 300_000, exitCode: 41 }),
  agent('that closes its output', 2, {}, { closesOutput: true, pauseMs: 50 }),
  agent('past its quota', 1, { logQuotaBytes: 1_000_000 }, { form: 'binary', bytes: 3_000_000, pauseMs: 1 }),
  agent('long', 2, { graceSec: 2 }, { writes: 60, pauseMs: 50, usageLines: 20, onTerm: 'leave' }),
];

function agent(
  name: string,
  weight: number,
  policy: AgentPlan['policy'],
  behaviour: Partial<Behaviour>,
  hasKeys = false,
): AgentPlan {
  return { name, weight, policy, behaviour: { ...quiet, ...behaviour }, hasKeys };
}
