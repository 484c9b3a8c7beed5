import { monthOf, noSpending } from '../../budgets/domain/spending';
import { DomainError } from '../../kernel/errors';
import type {
  CancelWakeup,
  CompanyStanding,
  DueTimer,
  HandleDue,
  ReleaseDeferredWakeups,
  ScheduleTimer,
} from './agent.commands';
import type { AgentEvent, SkipReason } from './agent.events';
import { evolveAgent } from './agent.evolve';
import type { OpenWakeup, RegisteredAgent } from './agent.state';
import { isOverBudget, policyOf, quotaWindow } from './agent.state';
import { decideReviewBudget } from './budget.decision';
import { endRun } from './run.decision';
import type { Candidate } from './wakeup.decision';
import { decideCandidate, deferred, queuedEvent, requestedEvent, skipped } from './wakeup.decision';

/** When a decision is made, and how the company stands then. */
type Circumstances = CompanyStanding & { at: string };

export function decideSchedule({ version, due }: ScheduleTimer, state: RegisteredAgent): AgentEvent[] {
  const isStale = version !== state.version || state.status === 'terminated';
  if (isStale || due?.at === state.nextDue?.at) return [];
  const { companyId, agentId } = state;
  return [{ type: 'TimerScheduled', data: { companyId, agentId, due } }];
}

/** Everything of the agent that has come due by `at`. Each decision is made on the state that the one before left. */
export function decideDue(command: HandleDue, state: RegisteredAgent): AgentEvent[] {
  const { at, timer } = command;
  const decided = new Decisions(state);
  decided.add((current) => decideNewMonth(at, current));
  for (const wakeup of [...state.wakeups.values()]) {
    if (wakeup.status !== 'deferred') continue;
    if (wakeup.deferral!.deadlineAt <= at) decided.add((current) => [expired(wakeup, current)]);
    else if (isDue(wakeup, at)) decided.add((current) => decideAnew(wakeup, command, current));
  }
  if (timer && state.nextDue && state.nextDue.at <= at) {
    decided.add((current) => decideTimer(timer, command, current));
  }
  return decided.events;
}

/** What a new month lets go on, before anything else is decided in it. Nothing has been spent in it yet. */
function decideNewMonth(at: string, state: RegisteredAgent): AgentEvent[] {
  const month = monthOf(at);
  const { stop } = state.budget;
  if (stop === null || stop.month >= month) return [];
  return decideReviewBudget({ type: 'ReviewBudget', at, spending: noSpending(month) }, state);
}

/** Room, or a held agent's return: what was held is decided anew, what was busy becomes queued runs, oldest first. */
export function decideRelease(command: ReleaseDeferredWakeups, state: RegisteredAgent): AgentEvent[] {
  const { at, companyPaused, companyOverBudget } = command;
  if (state.status !== 'active' || companyPaused) return [];
  if (companyOverBudget || isOverBudget(state, at)) return [];
  const decided = new Decisions(state);
  for (const wakeup of [...state.wakeups.values()]) {
    if (isHeldNoMore(wakeup, at, state)) decided.add((current) => decideAnew(wakeup, command, current));
  }
  for (const wakeup of [...state.wakeups.values()]) {
    if (wakeup.deferral?.reason === 'agent.busy') decided.add((current) => released(wakeup, at, current));
  }
  return decided.events;
}

export function decideCancelWakeup({ wakeupId, at }: CancelWakeup, state: RegisteredAgent): AgentEvent[] {
  const wakeup = state.wakeups.get(wakeupId);
  if (!wakeup) return [];
  const run = state.runs.get(wakeup.runId);
  if (run) return endRun(run, 'cancel', at, state);
  return [cancelled(wakeup, 'wakeup.cancelled', state)];
}

export function cancelled(
  wakeup: OpenWakeup,
  reason: string,
  { companyId, agentId }: RegisteredAgent,
): AgentEvent {
  const { wakeupId, runId } = wakeup;
  return { type: 'WakeupCancelled', data: { companyId, agentId, wakeupId, runId, reason } };
}

function isDue({ deferral }: OpenWakeup, at: string): boolean {
  const waitsForItsTime = deferral?.reason === 'not.before' || deferral?.reason === 'quota.window';
  return waitsForItsTime && deferral.dueAt !== null && deferral.dueAt <= at;
}

/** What it was held for is over: somebody has resumed the agent, or has taken back its word on its quota. */
function isHeldNoMore({ deferral }: OpenWakeup, at: string, state: RegisteredAgent): boolean {
  if (deferral?.reason === 'quota.window') return quotaWindow(state, at) === null;
  return deferral?.reason === 'agent.held';
}

function decideAnew(wakeup: OpenWakeup, circumstances: Circumstances, state: RegisteredAgent): AgentEvent[] {
  const { wakeupId, runId } = wakeup;
  const { at, companyPaused, companyOverBudget = false } = circumstances;
  const candidate: Candidate = { at, wakeupId, runId, asked: wakeup, notBefore: null, companyOverBudget };
  if (state.status !== 'active' || companyPaused) {
    return [deferred(candidate, 'agent.held', state)];
  }
  return orSkipped(candidate, state, () => decideCandidate(candidate, state));
}

/** One wakeup for the time that is due now, however many have gone by, and the next time. */
function decideTimer(timer: DueTimer, circumstances: Circumstances, state: RegisteredAgent): AgentEvent[] {
  const { at, companyPaused, companyOverBudget = false } = circumstances;
  const { wakeupId, runId, request, requestHash, next } = timer;
  const { companyId, agentId } = state;
  const candidate: Candidate = { at, wakeupId, runId, asked: request, notBefore: null, companyOverBudget };
  const held = reasonHeld(timer, companyPaused, state);
  const decision = held
    ? [skipped(candidate, held, state)]
    : orSkipped(candidate, state, () => decideCandidate(candidate, state));
  return [
    requestedEvent({ at, wakeupId, request, keyHash: null, requestHash }, state),
    ...decision,
    { type: 'TimerScheduled', data: { companyId, agentId, due: next } },
  ];
}

function reasonHeld(timer: DueTimer, companyPaused: boolean, state: RegisteredAgent): SkipReason | null {
  if (state.status === 'paused' || state.status === 'pending_approval') return `agent.${state.status}`;
  if (companyPaused) return 'company.paused';
  return timer.missed && policyOf(state).catchUp === 'skip' ? 'timer.missed' : null;
}

/** Where a client would be refused there is nobody to refuse: the wakeup is skipped, with the reason. */
function orSkipped(candidate: Candidate, state: RegisteredAgent, decide: () => AgentEvent[]): AgentEvent[] {
  try {
    return decide();
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    const reason = error.code === 'agent_busy' ? 'agent.busy' : 'wakeups.tooManyOpen';
    return [skipped(candidate, reason, state)];
  }
}

/**
 * A queued run counts as one that takes its slot, so that what is still waiting can go on collecting wakeups. A retry
 * that waits for its time takes none.
 */
function released(wakeup: OpenWakeup, at: string, state: RegisteredAgent): AgentEvent[] {
  let taken = 0;
  for (const run of state.runs.values()) {
    if (run.coalesceKey === wakeup.coalesceKey) return [];
    if (run.notBefore === null || run.notBefore <= at) taken += 1;
  }
  if (taken >= policyOf(state).maxConcurrentRuns) return [];
  const { companyId, agentId } = state;
  const { wakeupId, runId } = wakeup;
  return [queuedEvent({ companyId, agentId, wakeupId, runId }, wakeup)];
}

function expired({ wakeupId, runId }: OpenWakeup, { companyId, agentId }: RegisteredAgent): AgentEvent {
  return { type: 'WakeupExpired', data: { companyId, agentId, wakeupId, runId, reason: 'deferral.expired' } };
}

/** Several decisions of one command, each on the state that the ones before it lead to. The given state stays as it is. */
class Decisions {
  readonly events: AgentEvent[] = [];
  private current: RegisteredAgent;
  private isOwn = false;

  constructor(state: RegisteredAgent) {
    this.current = state;
  }

  add(decide: (state: RegisteredAgent) => AgentEvent[]): void {
    const events = decide(this.current);
    if (events.length === 0) return;
    if (!this.isOwn)
      this.current = { ...structuredClone({ ...this.current, keys: new Map() }), keys: this.current.keys };
    this.isOwn = true;
    // Keys are shared with the given state: nothing in here is requested with one.
    for (const event of events) this.current = evolveAgent(this.current, event) as RegisteredAgent;
    this.events.push(...events);
  }
}
