import type { WakeupSource } from '../../agents/domain/agent.events';
import type { CostEntry } from '../../costs/domain/cost-entry';
import type { DomainEvent } from '../../kernel/event';
import type { ShapesOf } from '../../kernel/event-shape';
import { FIRST_SHAPE } from '../../kernel/event-shape';

/** The events of a run's stream. Each is one line of what people follow: `seq` is its revision + 1. */
export type RunEvent =
  | DomainEvent<'RunLifecycleRecorded', RunEventData<'lifecycle'>>
  | DomainEvent<'AdapterInvoked', RunEventData<'adapter.invoke'>>
  | DomainEvent<'ProcessRecorded', RunEventData<'process'>>
  | UsageBooked
  | DomainEvent<'RunErrorRecorded', RunEventData<'error'>>
  | DomainEvent<'RunNoteRecorded', RunEventData<'note'>>;

export type UsageBooked = DomainEvent<'UsageBooked', RunEventData<'usage'> & { payload: BookedUsage }>;

/** How the data of each is formed, and was before (see `CONTRIBUTING.md`, "Change an event"). */
export const runEventShapes: ShapesOf<RunEvent> = {
  RunLifecycleRecorded: FIRST_SHAPE,
  AdapterInvoked: FIRST_SHAPE,
  ProcessRecorded: FIRST_SHAPE,
  UsageBooked: FIRST_SHAPE,
  RunErrorRecorded: FIRST_SHAPE,
  RunNoteRecorded: FIRST_SHAPE,
};

export type RunEventType = 'lifecycle' | 'adapter.invoke' | 'process' | 'usage' | 'error' | 'note';

export interface RunEventData<T extends RunEventType = RunEventType> {
  companyId: string;
  agentId: string;
  runId: string;
  eventType: T;
  stream: 'system' | 'stdout' | 'stderr';
  level: 'debug' | 'info' | 'warn' | 'error';
  color: string | null;
  message: string;
  payload: Record<string, unknown> | null;
}

/** A line of the ledger, and what of the run it is grouped by. */
export interface BookedUsage extends CostEntry {
  invocationSource: WakeupSource;
  taskKey: string | null;
}

/** eventType → the type on the log. */
export const runEventTypes = {
  lifecycle: 'RunLifecycleRecorded',
  'adapter.invoke': 'AdapterInvoked',
  process: 'ProcessRecorded',
  usage: 'UsageBooked',
  error: 'RunErrorRecorded',
  note: 'RunNoteRecorded',
} as const satisfies Record<RunEventType, RunEvent['type']>;

export const lifecycle = {
  queued: 'run queued',
  started: 'run started',
  succeeded: 'run succeeded',
  failed: 'run failed',
  timed_out: 'run timed_out',
  cancelled: 'run cancelled',
  processLost: 'Process lost -- server may have restarted',
} as const;

const CLOSING_LINES: ReadonlySet<string> = new Set([
  lifecycle.succeeded,
  lifecycle.failed,
  lifecycle.timed_out,
  lifecycle.cancelled,
  lifecycle.processLost,
]);

/** Whether the event is the last one that its run's stream will have. */
export function isClosingLine(event: RunEvent): boolean {
  return event.type === 'RunLifecycleRecorded' && CLOSING_LINES.has(event.data.message);
}
