/** What a node has said last of itself. Times are ISO 8601. */
export interface NodeLease {
  renewedAt: string;
  /** Until when a node that has stopped in order wants to be back; null for one that has not. */
  backBy: string | null;
}

/** What is known of a run that could not be seen to its end. */
export interface ProcessLoss {
  nodeId: string | null;
  claimId: string | null;
  pid: number | null;
  /** That has ended it; null where nobody has seen it go. */
  signal: string | null;
  /** Of the server that looked after it then; null for one that has never given a sign of life. */
  lease: NodeLease | null;
  lastOutput: { stdout: string; stderr: string };
}

/** As the payload of the run's `error` event has it, whoever finds that it is lost. */
export function lossPayload({ lease, ...loss }: ProcessLoss) {
  return { ...loss, lease: lease && { renewedAt: lease.renewedAt, backBy: lease.backBy } };
}
