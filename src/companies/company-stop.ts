import type { AgentAddress, AgentsStore } from '../agents/agents.store';
import { agentsProjection } from '../agents/projections/agents.projection';
import type { Recorded } from '../kernel/event';
import type { Processing } from '../processing/processing';
import type { ReadModels } from '../processing/read-models';
import { companiesProjection } from './projections/companies.projection';
import { runsProjection } from '../runs/projections/runs.projection';
import type { CompanyStopCommand } from './sagas/company-stop.saga';

/** Carries to a company's agents that it is paused, or over its budget, and the end of that. */
export class CompanyStop {
  constructor(
    private readonly agents: AgentsStore,
    private readonly processing: Processing,
    private readonly readModels: ReadModels,
  ) {}

  async execute(command: CompanyStopCommand, cause: Recorded): Promise<void> {
    const { companyId } = command;
    const actor = { type: 'system', id: 'company_stop' } as const;
    // An agent that is released asks whether its company still is paused.
    await this.processing.waitForHead([companiesProjection.name, runsProjection.name, agentsProjection.name]);
    if (command.type === 'ReleaseCompany') {
      for await (const { id } of this.readModels.all(agentsProjection, {
        where: { companyId },
        orderBy: 'registeredPosition',
      })) {
        await this.tell(
          { companyId, agentId: id },
          { type: 'ReleaseDeferredWakeups' },
          { actor, event: cause },
        );
      }
      return;
    }
    const { because } = command;
    const company = await this.readModels.get(companiesProjection, companyId);
    const isStopped =
      because === 'pause' ? company?.status === 'paused' : (company?.budget.stop ?? null) !== null;
    for await (const run of this.readModels.all(runsProjection, {
      where: { companyId, status: 'running' },
      orderBy: 'queuedPosition',
    })) {
      // A stop that is met again, or late, does not concern what was started after its end.
      if (!isStopped && run.startedAt! > cause.metadata.at) continue;
      const ending = { type: 'RequestRunEnd', runId: run.id, cause: because } as const;
      await this.tell({ companyId, agentId: run.agentId! }, ending, { actor, event: cause });
    }
  }

  private async tell(
    address: AgentAddress,
    command: Parameters<AgentsStore['execute']>[1],
    cause: Parameters<AgentsStore['execute']>[2],
  ): Promise<void> {
    await this.agents.execute(address, command, cause, () => undefined);
  }
}
