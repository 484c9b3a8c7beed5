import type { AgentAddress, AgentsStore } from '../agents/agents.store';
import { agentsProjection } from '../agents/projections/agents.projection';
import type { CompaniesStore } from '../companies/companies.store';
import { companiesProjection } from '../companies/projections/companies.projection';
import type { Clock } from '../kernel/clock';
import { DomainError } from '../kernel/errors';
import type { Position, Recorded } from '../kernel/event';
import { LruMap } from '../kernel/lru-map';
import type { Processing } from '../processing/processing';
import type { ReadModels } from '../processing/read-models';
import type { BudgetStanding } from './domain/budget';
import { reviewBudget } from './domain/budget';
import type { Spending } from './domain/spending';
import { monthOf, spendingIn } from './domain/spending';
import type { BudgetReviewCommand } from './sagas/budget-review.saga';

const MAX_UNLIMITED = 20_000;
/** So long a decision is kept waiting for what was booked before it. */
const FRESH_MS = 1_000;

/**
 * Has agents and companies hold their budgets against what was spent. The sums are those of the read models, which
 * count every entry of the ledger once; what follows from them is decided on the stream of the agent or the company.
 */
export class BudgetReview {
  private readonly actor = { type: 'system', id: 'budget_review' } as const;
  /**
   * Whose ledger entries need no look, by the key of their commands. Those of one key come one after the other, and a
   * new budget is among them: so this is as true as the read model, and nobody has to be waited for.
   */
  private readonly unlimited = new LruMap<string, true>(MAX_UNLIMITED);

  constructor(
    private readonly deps: {
      agents: AgentsStore;
      companies: CompaniesStore;
      processing: Processing;
      readModels: ReadModels;
      clock: Clock;
    },
  ) {}

  /** For the saga: after an entry of the ledger, or another budget. @throws DomainError `not_caught_up`: to be tried again */
  async execute(command: BudgetReviewCommand, cause: Recorded): Promise<void> {
    const isOfAgent = command.type === 'ReviewAgentBudget';
    if (isChange(cause)) this.unlimited.delete(command.key);
    else if (this.unlimited.get(command.key)) return;
    const sums = isOfAgent ? agentsProjection.name : companiesProjection.name;
    await this.deps.processing.waitFor(cause.position, [sums]);
    if (await this.isUnlimited(command)) this.unlimited.set(command.key, true);
    else if (isOfAgent) await this.reviewAgent(command, cause);
    else await this.reviewCompany(command.companyId, undefined, cause);
  }

  /**
   * Before a wakeup is decided, or a run is started: where there are budgets, everything that is on the log counts. It
   * is rather decided on what is known than kept waiting for long.
   */
  async beforeDecision({ companyId, agentId }: AgentAddress): Promise<void> {
    const { processing, readModels } = this.deps;
    const agent = await readModels.get(agentsProjection, agentId);
    const company = await readModels.get(companiesProjection, companyId);
    if (!agent?.budget.budget && !company?.budget.budget) return;
    try {
      await processing.waitForHead([agentsProjection.name, companiesProjection.name], FRESH_MS);
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
    }
    await this.reviewAgent({ companyId, agentId });
    const decided = await this.reviewCompany(companyId);
    if (decided !== null) await processing.waitFor(decided, [companiesProjection.name]);
  }

  /**
   * @param now when the decision is made; by default the clock's
   * @returns the position by which the decision is seen; null: there is nothing to decide
   */
  async reviewCompany(
    companyId: string,
    now: Date = this.deps.clock.now(),
    cause?: Recorded,
  ): Promise<Position | null> {
    const company = await this.deps.readModels.get(companiesProjection, companyId);
    const spending = company && spendingToReview(company, now);
    if (!spending) return null;
    const command = { type: 'ReviewBudget', companyId, spending } as const;
    const why = { actor: this.actor, event: cause };
    // Where it has been decided already, the read model may not know that yet.
    return (await this.deps.companies.execute(command, why, now)).position;
  }

  private async isUnlimited(command: BudgetReviewCommand): Promise<boolean> {
    const { readModels } = this.deps;
    const found =
      command.type === 'ReviewAgentBudget'
        ? await readModels.get(agentsProjection, command.agentId)
        : await readModels.get(companiesProjection, command.companyId);
    return found !== null && found.budget.budget === null && found.budget.stop === null;
  }

  private async reviewAgent({ companyId, agentId }: AgentAddress, cause?: Recorded): Promise<void> {
    const now = this.deps.clock.now();
    const agent = await this.deps.readModels.get(agentsProjection, agentId);
    const spending = agent && spendingToReview(agent, now);
    if (!spending) return;
    const why = { actor: this.actor, event: cause };
    const command = { type: 'ReviewBudget', spending } as const;
    await this.deps.agents.execute({ companyId, agentId }, command, why, () => undefined, now);
  }
}

/** Of the current month; null where nothing would follow from it. */
function spendingToReview(
  { budget, spent }: { budget: BudgetStanding; spent: Spending },
  now: Date,
): Spending | null {
  const spending = spendingIn(monthOf(now.toISOString()), spent);
  return reviewBudget(budget, spending, false).length > 0 ? spending : null;
}

function isChange({ event }: Recorded): boolean {
  return event.type === 'AgentBudgetChanged' || event.type === 'CompanyBudgetChanged';
}
