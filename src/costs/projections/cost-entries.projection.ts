import type { Projection } from '../../processing/projection';
import type { LedgerEntry, LedgerEvent } from '../domain/ledger';
import { entryOf } from '../domain/ledger';

/** One line of the ledger. */
export interface CostEntryDocument extends LedgerEntry {
  /** Of the event that made it. */
  id: string;
  position: string;
  /** When it was booked, ISO 8601 UTC. */
  at: string;
  /** The UTC day of it. */
  day: string;
}

export const costEntriesProjection: Projection<CostEntryDocument, LedgerEvent> = {
  name: 'cost_entries',
  version: 1,
  fields: { companyId: 'text', day: 'text', at: 'text' },
  indexes: [
    ['companyId', 'at'],
    ['companyId', 'day', 'at'],
  ],
  handles: ['UsageBooked', 'RunFinished'],
  id: ({ event, id }) => (entryOf(event) === null ? null : id),
  evolve(document, { event, id, position, metadata: { at } }) {
    const entry = entryOf(event);
    return entry && { ...entry, id, position: position.toString(), at, day: at.slice(0, 10) };
  },
};
