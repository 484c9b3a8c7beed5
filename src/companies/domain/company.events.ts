import type { DomainEvent } from '../../kernel/event';

export type CompanyEvent = DomainEvent<
  'CompanyRegistered',
  { companyId: string; name: string; externalKey: string | null }
>;

export const COMPANY_SCHEMA_VERSION = 1;
