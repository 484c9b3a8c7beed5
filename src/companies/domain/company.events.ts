import type { Budget, BudgetNotice, RestoreReason } from '../../budgets/domain/budget';
import type { ModelPrice } from '../../costs/domain/prices';
import type { DomainEvent } from '../../kernel/event';

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
  | DomainEvent<'PriceTableChanged', { companyId: string; prices: readonly ModelPrice[] }>;

export const COMPANY_SCHEMA_VERSION = 1;
