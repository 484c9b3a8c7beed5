import type { ModelPrice } from '../../costs/domain/prices';
import type { DomainEvent } from '../../kernel/event';
import type { ShapesOf } from '../../kernel/event-shape';
import { FIRST_SHAPE } from '../../kernel/event-shape';

export type CompanyEvent =
  | DomainEvent<'CompanyRegistered', { companyId: string; name: string; externalKey: string | null }>
  | DomainEvent<'CompanyPaused', { companyId: string }>
  | DomainEvent<'CompanyResumed', { companyId: string }>
  /** The whole table: what was in the one before and is not in it is no longer a price of the company's. */
  | DomainEvent<'PriceTableChanged', { companyId: string; prices: readonly ModelPrice[] }>;

/** How the data of each is formed, and was before (see `CONTRIBUTING.md`, "Change an event"). */
export const companyEventShapes: ShapesOf<CompanyEvent> = {
  CompanyRegistered: FIRST_SHAPE,
  CompanyPaused: FIRST_SHAPE,
  CompanyResumed: FIRST_SHAPE,
  PriceTableChanged: FIRST_SHAPE,
};
