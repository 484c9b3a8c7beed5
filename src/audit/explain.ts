import type { AgentEvent } from '../agents/domain/agent.events';
import type { CostEntry } from '../costs/domain/cost-entry';
import type { Actor, DomainEvent, Recorded } from '../kernel/event';
import type { RunEvent } from '../runs/domain/run.events';
import type { LogFinalizedData } from '../runs/domain/run-log.events';

/** What an event is in the story of a run. */
export type Role =
  /** What came before and led to it. */
  | 'cause'
  | 'request'
  | 'decision'
  | 'run'
  | 'process'
  | 'usage'
  | 'output'
  /** What came of it. */
  | 'consequence';

export type ToldEvent = AgentEvent | RunEvent | DomainEvent<'LogFinalized', LogFinalizedData>;

const roleOf: Readonly<Partial<Record<ToldEvent['type'], Role>>> = {
  WakeupRequested: 'request',
  WakeupCoalesced: 'decision',
  WakeupDeferred: 'decision',
  WakeupSkipped: 'decision',
  WakeupCancelled: 'decision',
  WakeupExpired: 'decision',
  RunQueued: 'decision',
  AdapterInvoked: 'process',
  ProcessRecorded: 'process',
  UsageBooked: 'usage',
  LogFinalized: 'output',
};

export function roleOfEvent(type: string): Role {
  return roleOf[type as ToldEvent['type']] ?? 'run';
}

/** An event in one line, for somebody who was not there. */
export function explain(recorded: Recorded): string {
  const { event, metadata } = recorded as Recorded<ToldEvent>;
  switch (event.type) {
    case 'WakeupRequested': {
      const { source, reason, idempotencyKey } = event.data;
      const why = reason === null ? '' : `: ${reason}`;
      const key = idempotencyKey === null ? '' : ` (key ${idempotencyKey})`;
      return `${actorText(metadata.actor)} asked for a wakeup (${source})${why}${key}`;
    }
    case 'WakeupCoalesced':
      return `it joined what was already there (${event.data.reason})`;
    case 'WakeupDeferred':
      return `it had to wait (${event.data.reason}), at most until ${event.data.deadlineAt}`;
    case 'WakeupSkipped':
      return `it was skipped: ${event.data.reason}`;
    case 'WakeupCancelled':
      return `the wakeup was cancelled: ${event.data.reason}`;
    case 'WakeupExpired':
      return 'the wakeup had waited too long';
    case 'RunQueued': {
      const { runId, attempt, retryOfRunId } = event.data;
      const retry = retryOfRunId === null ? '' : ` as attempt ${attempt}, after run ${retryOfRunId}`;
      return `run ${runId} was queued${retry}`;
    }
    case 'RunStarted': {
      const { runId, nodeId, claimId, adapterType } = event.data;
      return `node ${nodeId} claimed run ${runId} (claim ${claimId}) for its ${adapterType} adapter`;
    }
    case 'RunEndRequested':
      return `run ${event.data.runId} was told to end: ${event.data.cause}`;
    case 'RunFinished':
      return finishedText(event.data);
    case 'UsageBooked':
      return `used ${costText(event.data.payload)}`;
    case 'LogFinalized': {
      const { logBytes, logSha256 } = event.data;
      return `its output was closed: ${logBytes} bytes, SHA-256 ${logSha256} of what is recorded`;
    }
    case 'RunLifecycleRecorded':
    case 'AdapterInvoked':
    case 'ProcessRecorded':
    case 'RunErrorRecorded':
    case 'RunNoteRecorded':
      return event.data.message;
    default:
      return `${event.type} by ${actorText(metadata.actor)}`;
  }
}

function finishedText(data: Extract<AgentEvent, { type: 'RunFinished' }>['data']): string {
  const { runId, status, exitCode, signal, error, willRetry, settlement } = data;
  const facts = [
    exitCode === null ? null : `exit code ${exitCode}`,
    signal && `signal ${signal}`,
    error,
    settlement && `settled ${costText(settlement)}`,
    willRetry ? 'it is to be tried again' : null,
  ];
  return [`run ${runId} ${status}`, ...facts.filter((fact) => fact !== null)].join(', ');
}

function costText({ provider, model, costMicros, costSource, ...tokens }: CostEntry): string {
  const { inputTokens, outputTokens, cachedInputTokens } = tokens;
  const cost = costMicros === null ? 'cost unknown' : `$${(costMicros / 1_000_000).toFixed(6)}`;
  const counts = `${inputTokens} in, ${outputTokens} out, ${cachedInputTokens} cached`;
  return `${provider}/${model}: ${counts} tokens, ${cost} (${costSource})`;
}

function actorText({ type, id }: Actor): string {
  return id === null ? `the ${type}` : `${type} ${id}`;
}
