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

export interface RequestWakeup {
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
  companyPaused: boolean;
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
export interface HandleDue {
  type: 'HandleDue';
  at: string;
  companyPaused: boolean;
  /** Ready-made for the timer's wakeup; null where the caller doesn't think that the timer is due. */
  timer: DueTimer | null;
}

/** Turns the deferred wakeups for which there is a slot now into queued runs. */
export interface ReleaseDeferredWakeups {
  type: 'ReleaseDeferredWakeups';
  at: string;
  companyPaused: boolean;
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
export interface StartRun {
  type: 'StartRun';
  at: string;
  runId: string;
  nodeId: string;
  claimId: string;
  companyPaused: boolean;
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
