import type { Projection } from '../../processing/projection';
import type { CompanyEvent } from '../domain/company.events';

export interface CompanyDocument {
  id: string;
  name: string;
  externalKey: string | null;
  status: 'active' | 'paused';
  createdAt: string;
}

type Handled = Extract<CompanyEvent, { type: 'CompanyRegistered' | 'CompanyPaused' | 'CompanyResumed' }>;

export const companiesProjection: Projection<CompanyDocument, Handled> = {
  name: 'companies',
  version: 1,
  fields: {},
  indexes: [],
  handles: ['CompanyRegistered', 'CompanyPaused', 'CompanyResumed'],
  id: ({ event }) => event.data.companyId,
  evolve(document, { event, metadata }) {
    if (event.type === 'CompanyRegistered') {
      const { companyId, name, externalKey } = event.data;
      return { id: companyId, name, externalKey, status: 'active', createdAt: metadata.at };
    }
    if (!document) throw new Error(`${event.type} of a company that was never registered`);
    return { ...document, status: event.type === 'CompanyPaused' ? 'paused' : 'active' };
  },
};
