import type { CostEntry } from '../costs/domain/cost-entry';
import type { Pricing } from '../costs/domain/settlement';
import { costEntry } from '../costs/domain/settlement';
import type { BookedUsage } from '../runs/domain/run.events';
import type { RunEventInput } from './run-event-writer';
import type { ReportedUsage } from './reported-event';
import type { ClaimedRun } from './run-authority';

/** The usage that an agent reports in the middle of its run, as an entry of the ledger. */
export function usageEvent(
  { reported, payload }: ReportedUsage,
  run: Pick<ClaimedRun, 'invocationSource' | 'taskKey'>,
  pricing: Pricing,
): RunEventInput<'usage'> {
  const entry = costEntry(reported, pricing);
  const { invocationSource, taskKey } = run;
  const booked: BookedUsage = { ...entry, invocationSource, taskKey };
  return { eventType: 'usage', message: describe(entry), payload: { ...payload, ...booked } };
}

function describe({ inputTokens, outputTokens, cachedInputTokens, costMicros }: CostEntry): string {
  const tokens = `${inputTokens} input, ${cachedInputTokens} cached input and ${outputTokens} output tokens`;
  return costMicros === null ? `${tokens}, unpriced` : `${tokens}, ${costMicros / 1_000_000} USD`;
}
