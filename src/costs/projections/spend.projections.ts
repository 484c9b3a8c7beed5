import type { Recorded } from '../../kernel/event';
import type { Projection } from '../../processing/projection';
import type { LedgerEvent } from '../domain/ledger';
import type { SpendSheet } from '../domain/spend-sheet';
import { EMPTY_SHEET, withLedgerEvent } from '../domain/spend-sheet';

/** What a company has spent on one UTC day: by model, provider and source, and all of it. */
export interface CompanyDayDocument {
  companyId: string;
  day: string;
  /** Keys as `companyDayKey` makes them. null: there is too much in it, and the entries are to be asked. */
  sheet: SpendSheet | null;
}

/** What an agent has spent in one UTC month, by day. */
export interface AgentMonthDocument {
  companyId: string;
  agentId: string;
  month: string;
  /** By day. null: there is too much in it, and the entries are to be asked. */
  sheet: SpendSheet | null;
}

export type CompanyDayDimension = 'day' | 'model' | 'provider' | 'source';

export function companyDayId(companyId: string, day: string): string {
  return `${companyId} ${day}`;
}

/** Begins with what it is, so that no model can be called like a property that every object has. */
export function companyDayKey(dimension: CompanyDayDimension, value: string): string {
  return `${dimension}:${value}`;
}

/** A document is written for many runs together: those of a company's day are all in one. */
const fed = { handles: ['UsageBooked', 'RunFinished'], gatherMs: 500 } as const;

export const companyDaysProjection: Projection<CompanyDayDocument, LedgerEvent> = {
  name: 'company_days',
  version: 1,
  fields: {},
  indexes: [],
  ...fed,
  id: (recorded) =>
    mayConcernLedger(recorded) ? companyDayId(recorded.event.data.companyId, dayOf(recorded)) : null,
  evolve(document, recorded) {
    const day = dayOf(recorded);
    const before = sheetOf(document);
    const sheet = withLedgerEvent(before, recorded, ({ model, provider, invocationSource }) => [
      companyDayKey('day', day),
      companyDayKey('model', model),
      companyDayKey('provider', provider),
      companyDayKey('source', invocationSource),
    ]);
    return sheet === before ? document : { companyId: recorded.event.data.companyId, day, sheet };
  },
};

export const agentMonthsProjection: Projection<AgentMonthDocument, LedgerEvent> = {
  name: 'agent_months',
  version: 1,
  fields: { companyId: 'text', month: 'text', agentId: 'text' },
  indexes: [['companyId', 'month', 'agentId']],
  ...fed,
  id: (recorded) =>
    mayConcernLedger(recorded) ? `${recorded.event.data.agentId} ${monthOf(recorded)}` : null,
  evolve(document, recorded) {
    const before = sheetOf(document);
    const sheet = withLedgerEvent(before, recorded, () => [dayOf(recorded)]);
    const { companyId, agentId } = recorded.event.data;
    return sheet === before ? document : { companyId, agentId, month: monthOf(recorded), sheet };
  },
};

/** A run that ended before anybody claimed it has used nothing. */
function mayConcernLedger({ event }: Recorded<LedgerEvent>): boolean {
  return event.type === 'UsageBooked' || event.data.claimId !== null;
}

function sheetOf(document: { sheet: SpendSheet | null } | null): SpendSheet | null {
  return document === null ? EMPTY_SHEET : document.sheet;
}

function dayOf({ metadata }: Recorded): string {
  return metadata.at.slice(0, 10);
}

function monthOf({ metadata }: Recorded): string {
  return metadata.at.slice(0, 7);
}
