import type { BudgetStanding } from '../../budgets/domain/budget';
import { isStopped } from '../../budgets/domain/budget';
import { monthOf } from '../../budgets/domain/spending';
import type { Revision } from '../../kernel/event';
import type {
  AgentConfiguration,
  DeferReason,
  DueTime,
  EndCause,
  TriggerDetail,
  WakeupRequested,
  WakeupSource,
} from './agent.events';
import type { AgentPermissions } from './permissions';
import { defaultPermissions } from './permissions';
import type { HeartbeatPolicy } from './policy';

/** What an agent's decisions rest on. Bounded, whatever its history: no payloads, no contexts, nothing final. */
export type AgentState = UnregisteredAgent | RegisteredAgent;

export interface UnregisteredAgent {
  status: 'unregistered';
  revision: Revision;
}

export interface RegisteredAgent {
  status: 'pending_approval' | 'active' | 'paused' | 'terminated';
  /** Of the last event folded in. */
  revision: Revision;
  companyId: string;
  agentId: string;
  externalKey: string | null;
  configuration: AgentConfiguration;
  /** Of the configuration: 1, 2, 3 … */
  version: number;
  /** Of the event that holds it. */
  configurationRevision: Revision;
  /** The newest idempotency keys, oldest first. */
  keys: Map<string, KeyUse>;
  /** The open wakeups that made, or will make, a run. Oldest first. */
  wakeups: Map<string, OpenWakeup>;
  runs: Map<string, OpenRun>;
  sessions: Sessions;
  /** The node that it ran on last: what it keeps in folders, and its sessions, are there. null: it never ran. */
  homeNodeId: string | null;
  /** Of the agent's own schedule. */
  nextDue: DueTime | null;
  startsToday: { day: string; count: number };
  startsThisMonth: { month: string; count: number };
  budget: BudgetStanding;
  /** The agent has said that it can't work before then, ISO 8601. */
  quotaUntil: string | null;
  /** Runs that failed in a row, and when the last of them did. */
  failures: { count: number; lastMs: number };
  lastInterruptMs: number | null;
  /** When a run ended last, ISO 8601. */
  lastHeartbeatAt: string | null;
  /** Requests are known by the revision of their `WakeupRequested` until they are decided. */
  lastRequest: PendingRequest | null;
  /** Of the run that finished last: wakeups that it took in after it had exited, see `whenBusy: coalesce`. */
  lateAbsorbed: AbsorbedWakeup[];
}

export interface Sessions {
  /** Of the agent as a whole. */
  own: string | null;
  /** By task, the one used last at the end. */
  byTask: Map<string, string>;
}

export interface KeyUse {
  requestHash: string;
  wakeupId: string;
  /** Milliseconds since 1970. */
  usedAtMs: number;
  /** Of the `WakeupRequested`. */
  revision: Revision;
}

export interface PendingRequest {
  revision: Revision;
  data: WakeupRequested['data'];
}

/** A request, by what its run's context is made of later. */
export interface RequestRef {
  revision: Revision;
  wakeupId: string;
}

export interface OpenWakeup {
  status: 'queued' | 'claimed' | 'deferred';
  wakeupId: string;
  /** Of the run that it made, or that is reserved for it. */
  runId: string;
  source: WakeupSource;
  triggerDetail: TriggerDetail | null;
  priority: number;
  coalesceKey: string | null;
  taskKey: string | null;
  deferral: { reason: DeferReason; dueAt: string | null; deadlineAt: string } | null;
  /** The requests that the run stands for: its own first, then the newest of those coalesced into it. */
  requests: RequestRef[];
  coalescedCount: number;
  /** How many wakeups in a row, each caused by an agent, have led to it. */
  inRow: number;
}

export interface OpenRun {
  status: 'queued' | 'running';
  runId: string;
  wakeupId: string;
  coalesceKey: string | null;
  taskKey: string | null;
  priority: number;
  attempt: number;
  /** A retry waits until then, ISO 8601. */
  notBefore: string | null;
  source: WakeupSource;
  triggerDetail: TriggerDetail | null;
  startedRevision: Revision | null;
  startedAt: string | null;
  claim: RunClaim | null;
  endCause: EndCause | null;
  endRequestedAt: string | null;
  sessionReset: boolean;
  /** The newest wakeups that it took in while it was running. */
  absorbed: AbsorbedWakeup[];
}

/** Who executes a run. */
export interface RunClaim {
  nodeId: string;
  claimId: string;
  sessionIdBefore: string | null;
}

/** Enough of a request to make a run of it later. */
export interface AbsorbedWakeup extends RequestRef {
  requestedMs: number;
  source: WakeupSource;
  triggerDetail: TriggerDetail | null;
  priority: number;
  coalesceKey: string | null;
  taskKey: string | null;
  inRow: number;
}

export const MAX_KEYS = 10_000;
/** How long an idempotency key is remembered. */
export const KEY_LIFETIME_MS = 24 * 3_600_000;
export const MAX_OPEN_WAKEUPS = 1_000;
/** A run's context names its first request and at most this many of the newest. */
export const MAX_CONTEXT_WAKEUPS = 100;
export const MAX_TASK_SESSIONS = 1_000;
/** So long at most an agent is taken at its word that it can't work: the quotas of subscriptions are by the month. */
export const LONGEST_QUOTA_WINDOW_MS = 31 * 24 * 3_600_000;

export function policyOf(state: RegisteredAgent): HeartbeatPolicy {
  return state.configuration.runtimeConfig.heartbeat;
}

export function permissionsOf(state: RegisteredAgent): AgentPermissions {
  return state.configuration.runtimeConfig.permissions ?? defaultPermissions;
}

export function runOf(state: RegisteredAgent, runId: string): OpenRun {
  const run = state.runs.get(runId);
  if (!run) throw new Error(`run ${runId} is not open`);
  return run;
}

export function wakeupOf(state: RegisteredAgent, wakeupId: string): OpenWakeup {
  const wakeup = state.wakeups.get(wakeupId);
  if (!wakeup) throw new Error(`wakeup ${wakeupId} is not open`);
  return wakeup;
}

export function sessionOf(state: RegisteredAgent, taskKey: string | null): string | null {
  return taskKey === null ? state.sessions.own : (state.sessions.byTask.get(taskKey) ?? null);
}

export function runningCount(state: RegisteredAgent): number {
  let count = 0;
  for (const run of state.runs.values()) if (run.status === 'running') count += 1;
  return count;
}

/**
 * Whether a run of this key could run beside those that run now: a slot of the policy is free, and no run of the same
 * key is running (they would share a session).
 */
export function hasFreeSlot(coalesceKey: string | null, state: RegisteredAgent): boolean {
  if (runningCount(state) >= policyOf(state).maxConcurrentRuns) return false;
  for (const run of state.runs.values()) {
    if (run.status === 'running' && run.coalesceKey === coalesceKey) return false;
  }
  return true;
}

/** Runs that were started on the UTC day of `at`. */
export function startsOn(state: RegisteredAgent, at: string): number {
  return state.startsToday.day === at.slice(0, 10) ? state.startsToday.count : 0;
}

/**
 * Until when nothing is to be started after so many failures in a row, ISO 8601; from then on, until something has
 * succeeded, one trial run at a time. Null: there were not so many.
 */
export function circuitOpenUntil(state: RegisteredAgent): string | null {
  const { circuitBreaker } = policyOf(state);
  const { count, lastMs } = state.failures;
  if (!circuitBreaker || count < circuitBreaker.failures) return null;
  return new Date(lastMs + circuitBreaker.coolDownSec * 1_000).toISOString();
}

/** Until when the agent has said that it can't work; null: it can. */
export function quotaWindow({ quotaUntil }: RegisteredAgent, at: string): string | null {
  return quotaUntil !== null && quotaUntil > at ? quotaUntil : null;
}

/**
 * Whether the agent's own budget lets nothing start.
 * @param queued runs that are to count as if they had been started
 */
export function isOverBudget({ budget, startsThisMonth }: RegisteredAgent, at: string, queued = 0): boolean {
  if (isStopped(budget, at)) return true;
  const monthlyRuns = budget.budget?.monthlyRuns ?? null;
  const starts = startsThisMonth.month === monthOf(at) ? startsThisMonth.count : 0;
  return monthlyRuns !== null && starts + queued >= monthlyRuns;
}
