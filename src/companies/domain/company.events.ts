import type { AccessTokenEvent } from '../../auth/domain/access-token.events';
import type { ModelPrice } from '../../costs/domain/prices';
import type { DomainEvent } from '../../kernel/event';

export type CompanyEvent =
  | DomainEvent<'CompanyRegistered', { companyId: string; name: string; externalKey: string | null }>
  | DomainEvent<'CompanyPaused', { companyId: string }>
  | DomainEvent<'CompanyResumed', { companyId: string }>
  /** The whole table: what was in the one before and is not in it is no longer a price of the company's. */
  | DomainEvent<'PriceTableChanged', { companyId: string; prices: readonly ModelPrice[] }>
  | AccessTokenEvent;

export const COMPANY_SCHEMA_VERSION = 1;
