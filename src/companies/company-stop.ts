import type { AgentAddress, AgentsStore } from '../agents/agents.store';
import { agentsProjection } from '../agents/projections/agents.projection';
import type { Recorded } from '../kernel/event';
import type { Processing } from '../processing/processing';
import type { ReadModels } from '../processing/read-models';
import { companiesProjection } from './projections/companies.projection';
import { runsProjection } from '../runs/projections/runs.projection';
import type { CompanyStopCommand } from './sagas/company-stop.saga';

/** Carries a company's pause, and its end, to its agents. */
export class CompanyStop {
  constructor(
    private readonly agents: AgentsStore,
    private readonly processing: Processing,
    private readonly readModels: ReadModels,
  ) {}

  async execute({ type, companyId }: CompanyStopCommand, cause: Recorded): Promise<void> {
    const actor = { type: 'system', id: 'company_stop' } as const;
    // An agent that is released asks whether its company still is paused.
    await this.processing.waitForHead([companiesProjection.name, runsProjection.name, agentsProjection.name]);
    if (type === 'ReleaseCompany') {
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
    const company = await this.readModels.get(companiesProjection, companyId);
    for await (const run of this.readModels.all(runsProjection, {
      where: { companyId, status: 'running' },
      orderBy: 'queuedPosition',
    })) {
      // A pause that is met again, or late, does not concern what was started after its end.
      if (company?.status !== 'paused' && run.startedAt! > cause.metadata.at) continue;
      const command = { type: 'RequestRunEnd', runId: run.id, cause: 'pause' } as const;
      await this.tell({ companyId, agentId: run.agentId! }, command, { actor, event: cause });
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
