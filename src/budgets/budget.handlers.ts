import { Inject, Injectable } from '@nestjs/common';
import type { ICommandHandler, IQueryHandler } from '@nestjs/cqrs';
import { Command, CommandHandler, Query, QueryHandler } from '@nestjs/cqrs';
import type { z } from 'zod';
import type { AgentAddress } from '../agents/agents.store';
import { AgentsStore } from '../agents/agents.store';
import { Directory } from '../agents/directory';
import { agentsProjection } from '../agents/projections/agents.projection';
import { CompaniesStore } from '../companies/companies.store';
import { companiesProjection } from '../companies/projections/companies.projection';
import { Written } from '../http/written';
import type { Clock } from '../kernel/clock';
import { DomainError } from '../kernel/errors';
import type { Cause } from '../kernel/cause';
import type { Position } from '../kernel/event';
import { Processing } from '../processing/processing';
import { ReadModels } from '../processing/read-models';
import { CLOCK } from '../tokens';
import type { Budgeted, budgetRequest, BudgetView } from './budget.view';
import { budgetView } from './budget.view';
import type { Budget } from './domain/budget';
import type { Spending } from './domain/spending';
import { monthOf, noSpending, spendingIn } from './domain/spending';

type BudgetBody = z.output<typeof budgetRequest>;

export class ChangeAgentBudget extends Command<Written<BudgetView>> {
  constructor(
    readonly agentId: string,
    readonly body: BudgetBody,
    readonly cause: Cause,
  ) {
    super();
  }
}

export class ChangeCompanyBudget extends Command<Written<BudgetView>> {
  constructor(
    readonly companyId: string,
    readonly body: BudgetBody,
    readonly cause: Cause,
  ) {
    super();
  }
}

export class GetAgentBudget extends Query<BudgetView> {
  constructor(
    readonly agentId: string,
    readonly waitFor: Position | null,
  ) {
    super();
  }
}

export class GetCompanyBudget extends Query<BudgetView> {
  constructor(
    readonly companyId: string,
    readonly waitFor: Position | null,
  ) {
    super();
  }
}

const SEEN = [agentsProjection.name, companiesProjection.name];

/** Shows budgets with what was spent of them. */
@Injectable()
export class BudgetAnswers {
  constructor(
    private readonly directory: Directory,
    private readonly processing: Processing,
    private readonly readModels: ReadModels,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Until what is shown has seen the position; null: what was on the log when somebody asked, as far as it goes. */
  async catchUp(position: Position | null): Promise<void> {
    await this.processing.waitForReader(position, SEEN);
  }

  async ofAgent({ companyId, agentId }: AgentAddress): Promise<BudgetView> {
    const agent = await this.readModels.get(agentsProjection, agentId);
    if (!agent) throw new DomainError('agent_not_found');
    const company = await this.directory.company(companyId);
    return budgetView({ companyId, agentId }, agent, company, this.clock.now());
  }

  async ofCompany(companyId: string): Promise<BudgetView> {
    const company = await this.directory.company(companyId);
    return budgetView({ companyId, agentId: null }, company, null, this.clock.now());
  }

  /** All that is on the log now counts when a budget is held against what was spent. */
  async spendingOf(look: () => Promise<Budgeted | null>): Promise<Spending> {
    await this.processing.waitForHead(SEEN);
    const month = monthOf(this.clock.now().toISOString());
    return spendingIn(month, (await look())?.spent ?? noSpending(month));
  }
}

@CommandHandler(ChangeAgentBudget)
export class ChangeAgentBudgetHandler implements ICommandHandler<ChangeAgentBudget> {
  constructor(
    private readonly directory: Directory,
    private readonly agents: AgentsStore,
    private readonly readModels: ReadModels,
    private readonly answers: BudgetAnswers,
  ) {}

  async execute({ agentId, body, cause }: ChangeAgentBudget) {
    const address = await this.directory.agent(agentId);
    const spending = await this.answers.spendingOf(() => this.readModels.get(agentsProjection, agentId));
    const command = { type: 'ChangeBudget', budget: budgetOf(body), spending } as const;
    const { position } = await this.agents.execute(address, command, cause, () => undefined);
    const seenBy = position ?? (await this.agents.head());
    await this.answers.catchUp(seenBy);
    return new Written(await this.answers.ofAgent(address), seenBy);
  }
}

@CommandHandler(ChangeCompanyBudget)
export class ChangeCompanyBudgetHandler implements ICommandHandler<ChangeCompanyBudget> {
  constructor(
    private readonly directory: Directory,
    private readonly companies: CompaniesStore,
    private readonly answers: BudgetAnswers,
  ) {}

  async execute({ companyId, body, cause }: ChangeCompanyBudget) {
    await this.directory.company(companyId);
    const spending = await this.answers.spendingOf(() => this.directory.company(companyId));
    const command = { type: 'ChangeBudget', companyId, budget: budgetOf(body), spending } as const;
    const { position } = await this.companies.execute(command, cause);
    await this.answers.catchUp(position);
    return new Written(await this.answers.ofCompany(companyId), position);
  }
}

@QueryHandler(GetAgentBudget)
export class GetAgentBudgetHandler implements IQueryHandler<GetAgentBudget> {
  constructor(
    private readonly directory: Directory,
    private readonly answers: BudgetAnswers,
  ) {}

  async execute({ agentId, waitFor }: GetAgentBudget) {
    await this.answers.catchUp(waitFor);
    return this.answers.ofAgent(await this.directory.agent(agentId));
  }
}

@QueryHandler(GetCompanyBudget)
export class GetCompanyBudgetHandler implements IQueryHandler<GetCompanyBudget> {
  constructor(private readonly answers: BudgetAnswers) {}

  async execute({ companyId, waitFor }: GetCompanyBudget) {
    await this.answers.catchUp(waitFor);
    return this.answers.ofCompany(companyId);
  }
}

/** Without any limit there is no budget. */
function budgetOf({ monthlyMicros = null, monthlyTokens = null, monthlyRuns = null, warnAt }: BudgetBody) {
  const budget: Budget = { monthlyMicros, monthlyTokens, monthlyRuns, warnAt };
  return monthlyMicros === null && monthlyTokens === null && monthlyRuns === null ? null : budget;
}
