import type { Budget, BudgetChange, BudgetStanding } from '../../budgets/domain/budget';
import { afterChange, changeBudget, NO_BUDGET, reviewBudget } from '../../budgets/domain/budget';
import type { Spending } from '../../budgets/domain/spending';
import type { AccessTokenCommand, LivingTokens } from '../../auth/domain/access-token.decision';
import { decideAccessToken, evolveAccessTokens } from '../../auth/domain/access-token.decision';
import type { ModelPrice } from '../../costs/domain/prices';
import type { Decider } from '../../kernel/decider';
import { canonicalJson } from '../../kernel/canonical-json';
import { assertNever } from '../../kernel/decider';
import { DomainError } from '../../kernel/errors';
import type { CompanyEvent } from './company.events';

export interface CompanyState {
  status: 'unregistered' | 'active' | 'paused';
  prices: readonly ModelPrice[];
  /** null: for ever. */
  logRetentionDays: number | null;
  budget: BudgetStanding;
  tokens: LivingTokens;
  revision: number;
}

export type CompanyCommand =
  /** `spending` is that of the current month. */
  | { type: 'ChangeBudget'; at: string; companyId: string; budget: Budget | null; spending: Spending }
  | { type: 'ReviewBudget'; at: string; companyId: string; spending: Spending }
  | {
      type: 'RegisterCompany';
      at: string;
      companyId: string;
      name: string;
      externalKey: string | null;
      logRetentionDays: number | null;
    }
  | { type: 'ChangeLogRetention'; at: string; companyId: string; days: number | null }
  | { type: 'PauseCompany'; at: string; companyId: string }
  | { type: 'ResumeCompany'; at: string; companyId: string }
  | { type: 'ChangePriceTable'; at: string; companyId: string; prices: readonly ModelPrice[] }
  | AccessTokenCommand;

export const companyDecider: Decider<CompanyState, CompanyCommand, CompanyEvent> = {
  initial: () => ({
    status: 'unregistered',
    prices: [],
    logRetentionDays: null,
    budget: NO_BUDGET,
    tokens: new Map(),
    revision: -1,
  }),
  decide(command, { status, prices, logRetentionDays, budget, tokens }) {
    const { companyId } = command;
    if (command.type === 'RegisterCompany') {
      const { name, externalKey } = command;
      if (status !== 'unregistered') return [];
      const registered = { type: 'CompanyRegistered', data: { companyId, name, externalKey } } as const;
      return [registered, ...retentionEvents(companyId, logRetentionDays, command.logRetentionDays)];
    }
    if (status === 'unregistered') throw new DomainError('company_not_found');
    switch (command.type) {
      case 'PauseCompany':
        return status === 'active' ? [{ type: 'CompanyPaused', data: { companyId } }] : [];
      case 'ResumeCompany':
        return status === 'paused' ? [{ type: 'CompanyResumed', data: { companyId } }] : [];
      case 'ChangePriceTable':
        return canonicalJson(prices) === canonicalJson(command.prices)
          ? []
          : [{ type: 'PriceTableChanged', data: { companyId, prices: command.prices } }];
      case 'ChangeLogRetention':
        return retentionEvents(companyId, logRetentionDays, command.days);
      // A company's runs are not its own: whether one is going on is not known here.
      case 'ChangeBudget':
        return changeBudget(budget, command.budget, command.spending, false).map((change) =>
          budgetEvent(companyId, change),
        );
      case 'ReviewBudget':
        return reviewBudget(budget, command.spending, false).map((change) => budgetEvent(companyId, change));
      case 'CreateAccessToken':
      case 'RevokeAccessToken':
        return decideAccessToken(command, tokens);
      default:
        return assertNever(command, 'company command');
    }
  },
  evolve(state, event) {
    const revision = state.revision + 1;
    switch (event.type) {
      case 'CompanyRegistered':
      case 'CompanyResumed':
        return { ...state, status: 'active', revision };
      case 'CompanyPaused':
        return { ...state, status: 'paused', revision };
      case 'PriceTableChanged':
        return { ...state, prices: event.data.prices, revision };
      case 'LogRetentionChanged':
        return { ...state, logRetentionDays: event.data.days, revision };
      case 'CompanyBudgetChanged':
        return withBudget(state, { kind: 'changed', budget: event.data.budget });
      case 'CompanyBudgetWarned':
        return withBudget(state, { kind: 'warned', notice: event.data });
      case 'CompanyBudgetExceeded':
        return withBudget(state, { kind: 'exceeded', notice: event.data });
      case 'CompanyBudgetRestored':
        return withBudget(state, { kind: 'restored', reason: event.data.reason });
      case 'AccessTokenCreated':
      case 'AccessTokenRevoked':
        return { ...state, tokens: evolveAccessTokens(state.tokens, event), revision };
      default:
        return assertNever(event, 'company event');
    }
  },
};

function retentionEvents(companyId: string, before: number | null, days: number | null): CompanyEvent[] {
  return days === before ? [] : [{ type: 'LogRetentionChanged', data: { companyId, days } }];
}

function budgetEvent(companyId: string, change: BudgetChange): CompanyEvent {
  switch (change.kind) {
    case 'changed':
      return { type: 'CompanyBudgetChanged', data: { companyId, budget: change.budget } };
    case 'warned':
      return { type: 'CompanyBudgetWarned', data: { companyId, ...change.notice } };
    case 'exceeded':
      return { type: 'CompanyBudgetExceeded', data: { companyId, ...change.notice } };
    case 'restored':
      return { type: 'CompanyBudgetRestored', data: { companyId, reason: change.reason } };
  }
}

function withBudget(state: CompanyState, change: BudgetChange): CompanyState {
  return { ...state, budget: afterChange(state.budget, change), revision: state.revision + 1 };
}
