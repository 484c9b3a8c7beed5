import type { AgentEvent } from '../../agents/domain/agent.events';
import type { CompanyEvent } from '../../companies/domain/company.events';
import type { LedgerEvent } from '../../costs/domain/ledger';
import type { Saga, SagaCommand } from '../../processing/saga';

/** Whatever is spent is held against the budgets of the agent and of its company. */
export const budgetReviewSaga: Saga<Handled, BudgetReviewCommand> = {
  name: 'budget_review',
  handles: ['RunStarted', 'UsageBooked', 'RunFinished', 'AgentBudgetChanged', 'CompanyBudgetChanged'],
  react({ event }) {
    const { companyId } = event.data;
    const company = { type: 'ReviewCompanyBudget', key: companyId, companyId } as const;
    if (event.type === 'CompanyBudgetChanged') return [company];
    const { agentId } = event.data;
    const agent = { type: 'ReviewAgentBudget', key: agentId, companyId, agentId } as const;
    return event.type === 'AgentBudgetChanged' ? [agent] : [agent, company];
  },
};

type Handled =
  | LedgerEvent
  | Extract<AgentEvent, { type: 'RunStarted' | 'AgentBudgetChanged' }>
  | Extract<CompanyEvent, { type: 'CompanyBudgetChanged' }>;

export type BudgetReviewCommand = SagaCommand & { companyId: string } & (
    { type: 'ReviewAgentBudget'; agentId: string } | { type: 'ReviewCompanyBudget' }
  );
