import type { Projection } from '../../processing/projection';
import type { CompanyEvent } from '../domain/company.events';

export interface CompanyDocument {
  id: string;
  name: string;
  externalKey: string | null;
  status: 'active';
  createdAt: string;
}

export const companiesProjection: Projection<CompanyDocument, CompanyEvent> = {
  name: 'companies',
  version: 1,
  fields: {},
  indexes: [],
  handles: ['CompanyRegistered'],
  id: ({ event }) => event.data.companyId,
  evolve(_document, { event, metadata }) {
    const { companyId, name, externalKey } = event.data;
    return { id: companyId, name, externalKey, status: 'active', createdAt: metadata.at };
  },
};
