import type { Budget, BudgetNotice, RestoreReason } from '../../budgets/domain/budget';
import type { CostEntry, Usage } from '../../costs/domain/cost-entry';
import type { DomainEvent, Revision } from '../../kernel/event';
import type { ShapesOf } from '../../kernel/event-shape';
import { FIRST_SHAPE } from '../../kernel/event-shape';
import type { AgentPermissions } from './permissions';
import type { HeartbeatPolicy, RunLimits } from './policy';

/** The events of an agent's stream: what it is, every decision about a wakeup, and the frame of every run. */
export type AgentEvent =
  | AgentRegistered
  | AgentUpdated
  | AgentApproved
  | AgentPaused
  | AgentResumed
  | AgentTerminated
  | AgentBudgetChanged
  | AgentBudgetWarned
  | AgentBudgetExceeded
  | AgentBudgetRestored
  | WakeupRequested
  | WakeupCoalesced
  | WakeupDeferred
  | WakeupSkipped
  | WakeupCancelled
  | WakeupExpired
  | TimerScheduled
  | RunQueued
  | RunStarted
  | RunEndRequested
  | RunFinished
  | SessionReset;

/** How the data of each is formed, and was before (see `CONTRIBUTING.md`, "Change an event"). */
export const agentEventShapes: ShapesOf<AgentEvent> = {
  AgentRegistered: FIRST_SHAPE,
  AgentUpdated: FIRST_SHAPE,
  AgentApproved: FIRST_SHAPE,
  AgentPaused: FIRST_SHAPE,
  AgentResumed: FIRST_SHAPE,
  AgentTerminated: FIRST_SHAPE,
  AgentBudgetChanged: FIRST_SHAPE,
  AgentBudgetWarned: FIRST_SHAPE,
  AgentBudgetExceeded: FIRST_SHAPE,
  AgentBudgetRestored: FIRST_SHAPE,
  WakeupRequested: FIRST_SHAPE,
  WakeupCoalesced: FIRST_SHAPE,
  WakeupDeferred: FIRST_SHAPE,
  WakeupSkipped: FIRST_SHAPE,
  WakeupCancelled: FIRST_SHAPE,
  WakeupExpired: FIRST_SHAPE,
  TimerScheduled: FIRST_SHAPE,
  RunQueued: FIRST_SHAPE,
  RunStarted: FIRST_SHAPE,
  RunEndRequested: FIRST_SHAPE,
  RunFinished: FIRST_SHAPE,
  SessionReset: FIRST_SHAPE,
};

interface OfAgent {
  companyId: string;
  agentId: string;
}

export type AgentStatus = 'pending_approval' | 'idle' | 'running' | 'error' | 'paused' | 'terminated';

/** So that who follows the log can tell how the agent is without folding its stream. */
interface LastHeartbeat {
  /** When a run of the agent ended last, ISO 8601; null: none has. */
  lastHeartbeatAt: string | null;
}

export interface AgentConfiguration {
  name: string;
  adapterType: string;
  /** Checked by the adapter when it is set, opaque to the domain. */
  adapterConfig: Record<string, unknown>;
  /** Registrations from before there were permissions say nothing of them: then they are the default ones. */
  runtimeConfig: { heartbeat: HeartbeatPolicy; permissions?: AgentPermissions };
}

export type AgentRegistered = DomainEvent<
  'AgentRegistered',
  OfAgent & AgentConfiguration & { externalKey: string | null; requiresApproval: boolean }
>;
/** The whole configuration after the change, and which of its fields changed. */
export type AgentUpdated = DomainEvent<
  'AgentUpdated',
  OfAgent & AgentConfiguration & { changed: (keyof AgentConfiguration)[] }
>;
export type AgentApproved = DomainEvent<'AgentApproved', OfAgent>;
export type AgentPaused = DomainEvent<'AgentPaused', OfAgent & LastHeartbeat & { reason: string }>;
export type AgentResumed = DomainEvent<
  'AgentResumed',
  OfAgent & LastHeartbeat & { agentStatus: AgentStatus }
>;
export type AgentTerminated = DomainEvent<'AgentTerminated', OfAgent & LastHeartbeat>;

/** null: there is none any more. */
export type AgentBudgetChanged = DomainEvent<'AgentBudgetChanged', OfAgent & { budget: Budget | null }>;
/** The agent has used up the share of its budget at which a warning is due. */
export type AgentBudgetWarned = DomainEvent<'AgentBudgetWarned', OfAgent & BudgetNotice>;
/** Nothing of the agent is started any more, in this month or before its budget is raised. */
export type AgentBudgetExceeded = DomainEvent<
  'AgentBudgetExceeded',
  OfAgent & LastHeartbeat & BudgetNotice & { agentStatus: AgentStatus }
>;
/** What the budget held back may go on; what a person has paused stays so. */
export type AgentBudgetRestored = DomainEvent<
  'AgentBudgetRestored',
  OfAgent & LastHeartbeat & { reason: RestoreReason; agentStatus: AgentStatus }
>;

export type WakeupSource = 'timer' | 'assignment' | 'on_demand' | 'automation';
export type TriggerDetail = 'manual' | 'ping' | 'callback' | 'system';
export type ActorType = 'user' | 'agent' | 'system';

/** What somebody asked for, as it was asked, defaults filled in. */
export interface WakeupRequest {
  source: WakeupSource;
  triggerDetail: TriggerDetail | null;
  reason: string | null;
  payload: Record<string, unknown> | null;
  contextSnapshot: Record<string, unknown> | null;
  idempotencyKey: string | null;
  requestedByActorType: ActorType | null;
  requestedByActorId: string | null;
  notBefore: string | null;
  priority: number;
  /** null: the whole agent. */
  coalesceKey: string | null;
  taskKey: string | null;
}

export type WakeupRequested = DomainEvent<
  'WakeupRequested',
  OfAgent &
    WakeupRequest & {
      wakeupId: string;
      requestedAt: string;
      keyHash: string | null;
      requestHash: string;
      /** Only where an agent has asked for it. */
      causedBy?: WakeupCause;
    }
>;

/** Who has proven to have asked, as agents do; `inRow` counts the wakeups in a row that led here, see `LoopLimit`. */
export interface WakeupCause {
  agentId: string;
  runId: string | null;
  inRow: number;
}

/**
 * The wakeup went into a run that was already wanted. `runId` is the run's id, also where that run is only reserved by
 * a deferred wakeup (`intoWakeupId`): readers show it once the run is there.
 */
export type WakeupCoalesced = DomainEvent<
  'WakeupCoalesced',
  OfAgent & { wakeupId: string; runId: string; intoWakeupId: string | null; reason: CoalesceReason }
>;
export type CoalesceReason =
  | 'run.queued'
  | 'wakeup.deferred'
  /** A receipt only: the run that is going on is taken to cover it. */
  | 'run.running'
  /** That run had already exited when the wakeup came: a follow-up covers it. */
  | 'run.exited'
  /** A failed run is about to be tried again. */
  | 'retry.waiting';

/** The wakeup waits. `runId` is reserved for the run that it becomes. */
export type WakeupDeferred = DomainEvent<
  'WakeupDeferred',
  OfAgent & { wakeupId: string; runId: string; reason: DeferReason; dueAt: string | null; deadlineAt: string }
>;
export type DeferReason =
  | 'agent.busy'
  /** It is not to run before `dueAt`, and is decided anew then. */
  | 'not.before'
  /** The agent has said that it can't work before `dueAt`: it is decided anew then. */
  | 'quota.window'
  /** It was due while the agent could not be woken, and is decided anew when it can. */
  | 'agent.held';

export type WakeupSkipped = DomainEvent<'WakeupSkipped', OfAgent & { wakeupId: string; reason: SkipReason }>;
export type SkipReason =
  | 'heartbeat.disabled'
  | 'heartbeat.wakeOnDemand.disabled'
  /** The month's budget of the agent, or of its company, is used up. */
  | 'budget.exceeded'
  /** Agents wake each other, or themselves, again and again. */
  | 'wake.loop'
  | 'runs.dailyCap'
  | 'circuit.open'
  | 'company.paused'
  | 'agent.paused'
  | 'agent.pending_approval'
  /** Where nobody can be refused: a timer, or a wakeup that was deferred. */
  | 'agent.busy'
  | 'wakeups.tooManyOpen'
  /** The timer was due while nobody was there to see it, and its policy doesn't make up for that. */
  | 'timer.missed';

/** A waiting wakeup is over, and the run that was reserved for it will not be. */
export type WakeupCancelled = DomainEvent<
  'WakeupCancelled',
  OfAgent & { wakeupId: string; runId: string; reason: string }
>;

/** A wakeup has waited too long. */
export type WakeupExpired = DomainEvent<
  'WakeupExpired',
  OfAgent & { wakeupId: string; runId: string; reason: 'deferral.expired' }
>;

/** When the agent's own schedule is due next. */
export type TimerScheduled = DomainEvent<'TimerScheduled', OfAgent & { due: DueTime | null }>;

export interface DueTime {
  /** With jitter: when the timer goes off. */
  at: string;
  /** Without: what the time after it is counted from. */
  base: string;
}

/** One execution is wanted; it starts when a slot and a node are free. */
export type RunQueued = DomainEvent<
  'RunQueued',
  OfAgent & {
    runId: string;
    /** The wakeup that made the run and shares its fate. */
    wakeupId: string;
    invocationSource: WakeupSource;
    triggerDetail: TriggerDetail | null;
    priority: number;
    coalesceKey: string | null;
    taskKey: string | null;
    attempt: number;
    retryOfRunId: string | null;
    /** A retry waits until then; null: it may start at once. */
    notBefore: string | null;
    /** What a retry stands for beside its own wakeup; null where it is none, or there is nothing. */
    inherited: { wakeupIds: string[]; coalescedCount: number } | null;
  }
>;

/** The claim: whoever's append of this event is taken runs the adapter, nobody else. */
export type RunStarted = DomainEvent<
  'RunStarted',
  OfAgent &
    LastHeartbeat & {
      runId: string;
      wakeupId: string;
      invocationSource: WakeupSource;
      triggerDetail: TriggerDetail | null;
      nodeId: string;
      claimId: string;
      attempt: number;
      startedAt: string;
      taskKey: string | null;
      sessionIdBefore: string | null;
      adapterType: string;
      /** Of the event that holds the configuration that the run started with. */
      configurationRevision: Revision;
      limits: RunLimits;
    }
>;

export const endCauses = {
  cancel: { status: 'cancelled', errorCode: 'cancelled', error: 'Cancelled by control plane' },
  pause: { status: 'cancelled', errorCode: 'cancelled', error: 'Cancelled due to agent pause' },
  terminate: { status: 'cancelled', errorCode: 'cancelled', error: 'Cancelled due to agent termination' },
  interrupt: { status: 'cancelled', errorCode: 'cancelled', error: 'Cancelled by a newer wakeup' },
  budget: { status: 'cancelled', errorCode: 'cancelled', error: 'Cancelled due to exceeded budget' },
  shutdown: { status: 'cancelled', errorCode: 'cancelled', error: 'Cancelled due to server shutdown' },
  timeout: { status: 'timed_out', errorCode: 'timeout', error: 'Timed out' },
  silence: { status: 'timed_out', errorCode: 'silence_timeout', error: 'Timed out: no output' },
} as const satisfies Record<string, { status: FinalRunStatus; errorCode: string; error: string }>;

export type EndCause = keyof typeof endCauses;

/** A running run is to end. The first one on the stream decides the outcome. */
export type RunEndRequested = DomainEvent<
  'RunEndRequested',
  OfAgent & { runId: string; cause: EndCause; requestedAt: string }
>;

export type FinalRunStatus = 'succeeded' | 'failed' | 'cancelled' | 'timed_out';

export interface StreamDigest {
  /** What the agent wrote, as all of this but `storedSha256`. */
  bytes: number;
  sha256: string;
  /** Over what is recorded of it, masked and without gaps; null where that is just what the agent wrote. */
  storedSha256: string | null;
}

/** What is kept of a run's output when the bytes have aged out. */
export interface LogSummary {
  logs: { stdout: StreamDigest; stderr: StreamDigest };
  /** Sum of both streams, in bytes. */
  logBytes: number;
  /** Over the recorded combined log. */
  logSha256: string;
  /** Last hash of the log stream's chain. */
  chainHead: string;
}

/** What a run reported about itself, in its result file or its answer. */
export interface RunReport {
  usage: Usage | null;
  costMicros: number | null;
  provider: string | null;
  model: string | null;
  sessionId: string | null;
  clearSession: boolean;
  errorMessage: string | null;
  resultJson: unknown;
  /** Replaces the agent's `stateJson` where it is there. */
  state: unknown;
  retryNotBefore: string | null;
}

export type RunFinished = DomainEvent<
  'RunFinished',
  OfAgent & {
    runId: string;
    wakeupId: string;
    /** null: the run ended before anybody claimed it. */
    nodeId: string | null;
    claimId: string | null;
    /** null: it never was. */
    startedAt: string | null;
    finishedAt: string;
    invocationSource: WakeupSource;
    triggerDetail: TriggerDetail | null;
    taskKey: string | null;
    status: FinalRunStatus;
    /** Whether another attempt follows: then the wakeup is still open. */
    willRetry: boolean;
    errorCode: string | null;
    error: string | null;
    exitCode: number | null;
    signal: string | null;
    exitedAt: string | null;
    /** Whether the agent has no other running run: then this outcome decides its status. */
    lastRunning: boolean;
    /** What the agent is after it; null: as before, since the run never was one of its running runs. */
    agentStatus: AgentStatus | null;
    endCause: EndCause | null;
    sessionIdBefore: string | null;
    sessionIdAfter: string | null;
    /** The session was reset while the run was going on: what the run says of session and state doesn't count. */
    sessionReset: boolean;
    report: RunReport | null;
    /** What the ledger lacked for this run; null: nothing, or nothing was executed. */
    settlement: CostEntry | null;
    log: LogSummary | null;
  }
>;

/**
 * Session, state and last error are forgotten, of one task or (`taskKey` null) of the agent as a whole; a run that is
 * going on doesn't bring its session back.
 */
export type SessionReset = DomainEvent<'SessionReset', OfAgent & { taskKey: string | null }>;
