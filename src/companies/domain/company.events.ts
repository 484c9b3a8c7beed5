import type { Budget, BudgetNotice, RestoreReason } from '../../budgets/domain/budget';
import type { AccessTokenEvent } from '../../auth/domain/access-token.events';
import type { ModelPrice } from '../../costs/domain/prices';
import type { DomainEvent } from '../../kernel/event';
import type { ShapesOf } from '../../kernel/event-shape';
import { FIRST_SHAPE } from '../../kernel/event-shape';

export type CompanyEvent =
  | DomainEvent<'CompanyRegistered', { companyId: string; name: string; externalKey: string | null }>
  | DomainEvent<'CompanyPaused', { companyId: string }>
  | DomainEvent<'CompanyResumed', { companyId: string }>
  /** null: there is none any more. */
  | DomainEvent<'CompanyBudgetChanged', { companyId: string; budget: Budget | null }>
  | DomainEvent<'CompanyBudgetWarned', { companyId: string } & BudgetNotice>
  /** Nothing of any of its agents is started any more, in this month or before the budget is raised. */
  | DomainEvent<'CompanyBudgetExceeded', { companyId: string } & BudgetNotice>
  | DomainEvent<'CompanyBudgetRestored', { companyId: string; reason: RestoreReason }>
  /** The whole table: what was in the one before and is not in it is no longer a price of the company's. */
  | DomainEvent<'PriceTableChanged', { companyId: string; prices: readonly ModelPrice[] }>
  /** How long the output of its runs is kept after their end, in days; null: for ever, as without the event. */
  | DomainEvent<'LogRetentionChanged', { companyId: string; days: number | null }>
  | AccessTokenEvent;

/** How the data of each is formed, and was before (see `CONTRIBUTING.md`, "Change an event"). */
export const companyEventShapes: ShapesOf<CompanyEvent> = {
  CompanyRegistered: FIRST_SHAPE,
  CompanyPaused: FIRST_SHAPE,
  CompanyResumed: FIRST_SHAPE,
  CompanyBudgetChanged: FIRST_SHAPE,
  CompanyBudgetWarned: FIRST_SHAPE,
  CompanyBudgetExceeded: FIRST_SHAPE,
  CompanyBudgetRestored: FIRST_SHAPE,
  PriceTableChanged: FIRST_SHAPE,
  LogRetentionChanged: FIRST_SHAPE,
  AccessTokenCreated: FIRST_SHAPE,
  AccessTokenRevoked: FIRST_SHAPE,
};
