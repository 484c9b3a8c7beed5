import type { EndCause, LogSummary, RunReport, WakeupSource } from '../agents/domain/agent.events';
import type { RunLimits } from '../agents/domain/policy';

/** A run that this node has claimed: everything that executing it needs. */
export interface ClaimedRun {
  companyId: string;
  agentId: string;
  runId: string;
  claimId: string;
  nodeId: string;
  attempt: number;
  invocationSource: WakeupSource;
  taskKey: string | null;
  adapterType: string;
  adapterConfig: Record<string, unknown>;
  context: Record<string, unknown>;
  sessionId: string | null;
  limits: RunLimits;
  /** ISO 8601. */
  startedAt: string;
  /** Already wanted on the log (an adopted run may have been cancelled while nobody looked). */
  endCause: EndCause | null;
  correlationId: string;
}

/** How a run's execution came out, before the decider weighs it against what was recorded first. */
export interface RunOutcome {
  exitCode: number | null;
  signal: string | null;
  /** null: it never ran, or nobody saw it leave. */
  exitedAt: string | null;
  /** Set where it was not the process that failed: `spawn_failed`, `adapter_failed`, `process_lost`, … */
  errorCode: string | null;
  error: string | null;
  report: RunReport | null;
  log: LogSummary | null;
}

/** What the runner may ask of the agent that a run belongs to. Implemented by the agents' command handlers. */
export interface RunAuthority {
  /**
   * Records why a run is to end, before the first signal is sent. Answers the cause that stands on the stream, which
   * is an earlier one where there was one; null where the run is already final.
   */
  requestEnd(run: ClaimedRun, cause: EndCause): Promise<EndCause | null>;
  /**
   * Records the end. Repeating it is harmless.
   * @throws DomainError `claim_lost` where the run belongs to another claim
   */
  finish(run: ClaimedRun, outcome: RunOutcome): Promise<void>;
}
