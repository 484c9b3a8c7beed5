import type { RunFinished, WakeupSource } from '../../agents/domain/agent.events';
import type { UsageBooked } from '../../runs/domain/run.events';
import type { CostEntry } from './cost-entry';

/** The events that the ledger is made of. */
export type LedgerEvent = UsageBooked | RunFinished;

/** An entry with all that it is grouped by, but for the time, which is that of its event. */
export interface LedgerEntry extends CostEntry {
  companyId: string;
  agentId: string;
  runId: string;
  taskKey: string | null;
  invocationSource: WakeupSource;
}

/**
 * The entry that an event adds to the ledger; null: none. Every sum that anybody is shown is one over these entries,
 * so that all of them agree.
 */
export function entryOf({ type, data }: LedgerEvent): LedgerEntry | null {
  const { companyId, agentId, runId } = data;
  const entry = type === 'UsageBooked' ? data.payload : data.settlement;
  if (entry === null) return null;
  const { invocationSource, taskKey } = type === 'UsageBooked' ? data.payload : data;
  const { provider, model, costMicros, costSource, inputTokens, outputTokens, cachedInputTokens } = entry;
  return {
    ...{ companyId, agentId, runId, taskKey, invocationSource },
    ...{ provider, model, inputTokens, outputTokens, cachedInputTokens, costMicros, costSource },
  };
}
