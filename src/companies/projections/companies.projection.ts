import type { AgentEvent } from '../../agents/domain/agent.events';
import type { BudgetStanding } from '../../budgets/domain/budget';
import { afterChange, NO_BUDGET } from '../../budgets/domain/budget';
import type { Spending } from '../../budgets/domain/spending';
import { monthOf, noSpending, withEntry, withStart } from '../../budgets/domain/spending';
import type { AccessTokenEvent } from '../../auth/domain/access-token.events';
import type { LedgerEvent } from '../../costs/domain/ledger';
import { entryOf } from '../../costs/domain/ledger';
import type { Recorded } from '../../kernel/event';
import type { Projection } from '../../processing/projection';
import type { CompanyEvent } from '../domain/company.events';

export interface CompanyDocument {
  id: string;
  name: string;
  externalKey: string | null;
  /** As people want it; the budget may stop it all the same. */
  status: 'active' | 'paused';
  createdAt: string;
  /** How long the output of its runs is kept after their end; null: for ever. */
  logRetentionDays: number | null;
  budget: BudgetStanding;
  /** Of the newest UTC month in which anything was booked or started. */
  spent: Spending;
}

type Handled =
  | Exclude<CompanyEvent, { type: 'PriceTableChanged' | AccessTokenEvent['type'] }>
  | LedgerEvent
  | Extract<AgentEvent, { type: 'RunStarted' }>;

export const companiesProjection: Projection<CompanyDocument, Handled> = {
  name: 'companies',
  version: 3,
  fields: {},
  indexes: [],
  handles: [
    'CompanyRegistered',
    'CompanyPaused',
    'CompanyResumed',
    'LogRetentionChanged',
    'CompanyBudgetChanged',
    'CompanyBudgetWarned',
    'CompanyBudgetExceeded',
    'CompanyBudgetRestored',
    'RunStarted',
    'UsageBooked',
    'RunFinished',
  ],
  id: ({ event }) => event.data.companyId,
  evolve(document, { event, metadata: { at } }) {
    if (event.type === 'CompanyRegistered') {
      const { companyId, name, externalKey } = event.data;
      const nothing = { logRetentionDays: null, budget: NO_BUDGET, spent: noSpending(monthOf(at)) };
      return { id: companyId, name, externalKey, status: 'active', createdAt: at, ...nothing };
    }
    if (!document) throw new Error(`${event.type} of a company that was never registered`);
    return { ...document, ...changed(document, event, at) };
  },
};

function changed(
  { budget, spent }: CompanyDocument,
  event: Exclude<Recorded<Handled>['event'], { type: 'CompanyRegistered' }>,
  at: string,
): Partial<CompanyDocument> {
  switch (event.type) {
    case 'CompanyPaused':
      return { status: 'paused' };
    case 'CompanyResumed':
      return { status: 'active' };
    case 'LogRetentionChanged':
      return { logRetentionDays: event.data.days };
    case 'CompanyBudgetChanged':
      return { budget: afterChange(budget, { kind: 'changed', budget: event.data.budget }) };
    case 'CompanyBudgetWarned':
      return { budget: afterChange(budget, { kind: 'warned', notice: event.data }) };
    case 'CompanyBudgetExceeded':
      return { budget: afterChange(budget, { kind: 'exceeded', notice: event.data }) };
    case 'CompanyBudgetRestored':
      return { budget: afterChange(budget, { kind: 'restored', reason: event.data.reason }) };
    case 'RunStarted':
      return { spent: withStart(spent, at) };
    case 'UsageBooked':
    case 'RunFinished':
      return { spent: withEntry(spent, entryOf(event), at) };
  }
}
