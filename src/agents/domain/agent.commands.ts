import type { Budget } from '../../budgets/domain/budget';
import type { Spending } from '../../budgets/domain/spending';
import type { CostEntry } from '../../costs/domain/cost-entry';
import type {
  AgentConfiguration,
  DueTime,
  EndCause,
  LogSummary,
  RunReport,
  WakeupRequest,
} from './agent.events';
import type { CausingRun } from './permissions';

/** What an agent can be told. Ids, time and hashes come with the command: the decider makes none. */
export type AgentCommand =
  | RegisterAgent
  | UpdateAgent
  | { type: 'ApproveAgent'; at: string }
  | { type: 'PauseAgent'; at: string; reason: string }
  | { type: 'ResumeAgent'; at: string }
  | { type: 'TerminateAgent'; at: string }
  | ChangeBudget
  | ReviewBudget
  | RequestWakeup
  | CancelWakeup
  | ReleaseDeferredWakeups
  | ScheduleTimer
  | HandleDue
  | StartRun
  | CancelRun
  | RequestRunEnd
  | FinishRun
  | ReapRun
  | { type: 'ResetSession'; at: string; taskKey: string | null };

export interface RegisterAgent {
  type: 'RegisterAgent';
  at: string;
  companyId: string;
  agentId: string;
  externalKey: string | null;
  requiresApproval: boolean;
  configuration: AgentConfiguration;
}

export interface UpdateAgent {
  type: 'UpdateAgent';
  at: string;
  /** The version that `configuration` was made from. */
  baseVersion: number;
  configuration: AgentConfiguration;
}

/** How the agent's company stands when the agent decides. */
export interface CompanyStanding {
  companyPaused: boolean;
  /** The company's budget lets nothing start. Left out: it does. */
  companyOverBudget?: boolean;
}

export interface ChangeBudget {
  type: 'ChangeBudget';
  at: string;
  /** null: none any more. */
  budget: Budget | null;
  /** Of the current month. */
  spending: Spending;
}

/** Holds the budget against what was spent. Repeated and late calls are harmless. */
export interface ReviewBudget {
  type: 'ReviewBudget';
  at: string;
  /** Of the current month. */
  spending: Spending;
}

export interface RequestWakeup extends CompanyStanding {
  type: 'RequestWakeup';
  at: string;
  wakeupId: string;
  /** For the run that the wakeup becomes, if it becomes one. */
  runId: string;
  request: WakeupRequest;
  /** SHA-256 of the idempotency key; null without one. */
  keyHash: string | null;
  /** SHA-256 of the whole request, to tell a repeat from a reuse. */
  requestHash: string;
  /** Where an agent asks. */
  causedBy?: CausingRun | undefined;
}

export interface CancelWakeup {
  type: 'CancelWakeup';
  at: string;
  wakeupId: string;
}

/** The agent's schedule is new or has changed: says when it is due first. */
export interface ScheduleTimer {
  type: 'ScheduleTimer';
  at: string;
  /** Of the configuration that the due time was computed from. */
  version: number;
  due: DueTime | null;
}

/**
 * Does what has come due: the agent's timer, wakeups that were not to run before now, deadlines. What is not due yet,
 * or not any more, is left alone: late and repeated calls are harmless.
 */
export interface HandleDue extends CompanyStanding {
  type: 'HandleDue';
  at: string;
  /** Ready-made for the timer's wakeup; null where the caller doesn't think that the timer is due. */
  timer: DueTimer | null;
}

/** Turns the deferred wakeups for which there is a slot now into queued runs. */
export interface ReleaseDeferredWakeups extends CompanyStanding {
  type: 'ReleaseDeferredWakeups';
  at: string;
}

export interface DueTimer {
  wakeupId: string;
  runId: string;
  request: WakeupRequest;
  requestHash: string;
  /** The due time after this one. */
  next: DueTime | null;
  /** More than this one occurrence has gone by unseen. */
  missed: boolean;
}

/** Claims a queued run for a node. */
export interface StartRun extends CompanyStanding {
  type: 'StartRun';
  at: string;
  runId: string;
  nodeId: string;
  claimId: string;
  /** Adapter types that leave nothing on the node that executes them: their agents may run on any. */
  freeAdapterTypes: readonly string[];
  /** A node that is known to nobody any more, whose agents may be taken over; null: none is. */
  goneNodeId: string | null;
}

/** Somebody wants a run gone: a queued one ends at once, a running one is asked to. */
export interface CancelRun {
  type: 'CancelRun';
  at: string;
  runId: string;
}

/**
 * There is a reason to end a run, other than that somebody wants it cancelled. No claim is compared: a run has one only,
 * and is over where it has lost that.
 */
export interface RequestRunEnd {
  type: 'RequestRunEnd';
  at: string;
  runId: string;
  cause: EndCause;
}

/** The end of a run, as the node says that has claimed it. */
export interface FinishRun extends RunEnd {
  type: 'FinishRun';
  nodeId: string;
}

/** The end of a run whose node is gone, as another one says. */
export interface ReapRun extends RunEnd {
  type: 'ReapRun';
}

export interface RunEnd {
  at: string;
  runId: string;
  claimId: string;
  /** For the run that may follow: a retry, or a follow-up. */
  nextRunId: string;
  /** 0 to 1, spreads the waiting time of a retry. */
  jitter: number;
  outcome: {
    exitCode: number | null;
    signal: string | null;
    exitedAt: string | null;
    errorCode: string | null;
    error: string | null;
    report: RunReport | null;
    log: LogSummary | null;
  };
  settlement: CostEntry | null;
}
