import type { AgentEvent } from '../agents/domain/agent.events';
import type { CompanyEvent } from '../companies/domain/company.events';
import type { CostEntry } from '../costs/domain/cost-entry';
import type { Recorded } from '../kernel/event';
import type { RunEvent } from '../runs/domain/run.events';
import type { LabelsOf, MetricName } from './metric-table';
import type { Sample } from './metrics';

/** Wakeups whose time is kept; of the oldest ones beyond that it will not be known how long they waited. */
const MAX_OPEN_WAKEUPS = 100_000;

/** When the wakeups were asked for that have no run yet: milliseconds since 1970, by id. */
export type OpenWakeups = Map<string, number>;

/** What an event adds to the metrics. `open` is all that is remembered from one event to the next. */
export function samplesOf(recorded: Recorded, open: OpenWakeups): Sample[] {
  const { event } = recorded as Recorded<AgentEvent | RunEvent | CompanyEvent>;
  switch (event.type) {
    case 'WakeupRequested':
      remember(event.data.wakeupId, Date.parse(event.data.requestedAt), open);
      return [sample('reveille_wakeups_requested_total', { source: event.data.source })];
    case 'RunQueued':
      return event.data.attempt === 1 ? [decision('queued')] : [];
    case 'WakeupDeferred':
      return [decision('deferred')];
    case 'WakeupCoalesced':
      open.delete(event.data.wakeupId);
      return [decision('coalesced')];
    case 'WakeupSkipped':
      open.delete(event.data.wakeupId);
      return [decision('skipped')];
    case 'WakeupCancelled':
    case 'WakeupExpired':
      open.delete(event.data.wakeupId);
      return [];
    case 'RunStarted':
      return [sample('reveille_runs_started_total', {}), ...waited(event.data, open)];
    case 'RunFinished':
      open.delete(event.data.wakeupId);
      return finished(event.data);
    case 'UsageBooked':
      return spent(event.data.payload);
    case 'AgentBudgetWarned':
    case 'AgentBudgetExceeded':
    case 'AgentBudgetRestored':
    case 'CompanyBudgetWarned':
    case 'CompanyBudgetExceeded':
    case 'CompanyBudgetRestored':
      return [ofBudget(event.type)];
    default:
      return [];
  }
}

function waited(
  { wakeupId, startedAt }: { wakeupId: string; startedAt: string },
  open: OpenWakeups,
): Sample[] {
  const requestedAtMs = open.get(wakeupId);
  open.delete(wakeupId);
  if (requestedAtMs === undefined) return [];
  const seconds = Math.max(0, Date.parse(startedAt) - requestedAtMs) / 1000;
  return [sample('reveille_wake_to_start_seconds', {}, seconds)];
}

function finished({
  status,
  errorCode,
  settlement,
}: Extract<AgentEvent, { type: 'RunFinished' }>['data']): Sample[] {
  return [
    sample('reveille_runs_finished_total', { status, error_code: errorCode ?? 'none' }),
    ...(errorCode === 'process_lost' ? [sample('reveille_runs_lost_total', {})] : []),
    ...(settlement === null ? [] : spent(settlement)),
  ];
}

/** A settlement may take back what was booked too much in mid-run; a counter only grows, and leaves that out. */
function spent(entry: CostEntry): Sample[] {
  const { inputTokens, outputTokens, cachedInputTokens, costMicros, costSource } = entry;
  const amount =
    costMicros === null
      ? sample('reveille_unpriced_entries_total', {})
      : sample('reveille_cost_micros_total', { source: costSource }, costMicros);
  const tokens = { input: inputTokens, output: outputTokens, cached_input: cachedInputTokens };
  const counted = Object.entries(tokens).map(([kind, count]) =>
    sample('reveille_tokens_total', { kind }, count),
  );
  return [amount, ...counted].filter(({ value }) => value > 0);
}

/** @param type `AgentBudgetWarned` and the like */
function ofBudget(type: string): Sample {
  const [scope, event] = type.split('Budget');
  return sample('reveille_budget_events_total', {
    scope: scope!.toLowerCase(),
    event: event!.toLowerCase(),
  });
}

function remember(wakeupId: string, requestedAtMs: number, open: OpenWakeups): void {
  open.set(wakeupId, requestedAtMs);
  if (open.size <= MAX_OPEN_WAKEUPS) return;
  const [oldest] = open.keys();
  open.delete(oldest!);
}

function decision(decision: 'queued' | 'coalesced' | 'deferred' | 'skipped'): Sample {
  return sample('reveille_wakeup_decisions_total', { decision });
}

function sample<Name extends MetricName>(name: Name, labels: LabelsOf<Name>, value = 1): Sample {
  return { name, labels, value } as unknown as Sample;
}
