import type { CompanyEvent } from '../../companies/domain/company.events';
import type { Projection } from '../../processing/projection';
import type { ModelPrice } from '../domain/prices';

/** What a company says that it pays. */
export interface PriceTableDocument {
  companyId: string;
  prices: readonly ModelPrice[];
}

type Handled = Extract<CompanyEvent, { type: 'PriceTableChanged' }>;

export const priceTablesProjection: Projection<PriceTableDocument, Handled> = {
  name: 'price_tables',
  version: 1,
  fields: {},
  indexes: [],
  handles: ['PriceTableChanged'],
  id: ({ event }) => event.data.companyId,
  evolve: (_document, { event }) => ({ companyId: event.data.companyId, prices: event.data.prices }),
};
