import type { AgentConfiguration, EndCause, LogSummary, RunReport, WakeupRequest } from './agent.events';

/** What an agent can be told. Ids, time and hashes come with the command: the decider makes none. */
export type AgentCommand =
  | RegisterAgent
  | UpdateAgent
  | { type: 'ApproveAgent'; at: string }
  | { type: 'PauseAgent'; at: string; reason: string }
  | { type: 'ResumeAgent'; at: string }
  | { type: 'TerminateAgent'; at: string }
  | RequestWakeup
  | ReleaseDeferredWakeups
  | StartRun
  | CancelRun
  | RequestRunEnd
  | FinishRun
  | { type: 'ResetSession'; at: string };

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
}

/** Turns the deferred wakeups for which there is a slot now into queued runs. */
export interface ReleaseDeferredWakeups {
  type: 'ReleaseDeferredWakeups';
  at: string;
}

/** Claims a queued run for a node. */
export interface StartRun {
  type: 'StartRun';
  at: string;
  runId: string;
  nodeId: string;
  claimId: string;
}

/** Somebody wants a run gone: a queued one ends at once, a running one is asked to. */
export interface CancelRun {
  type: 'CancelRun';
  at: string;
  runId: string;
}

/** The node that runs it found a reason to end it. */
export interface RequestRunEnd {
  type: 'RequestRunEnd';
  at: string;
  runId: string;
  cause: EndCause;
}

export interface FinishRun {
  type: 'FinishRun';
  at: string;
  runId: string;
  nodeId: string;
  claimId: string;
  outcome: {
    exitCode: number | null;
    signal: string | null;
    exitedAt: string | null;
    errorCode: string | null;
    error: string | null;
    report: RunReport | null;
    log: LogSummary | null;
  };
}
