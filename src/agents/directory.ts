import type { CompanyDocument } from '../companies/projections/companies.projection';
import { companiesProjection } from '../companies/projections/companies.projection';
import type { Document } from '../documents/document-store';
import type { ErrorCode } from '../kernel/errors';
import { DomainError } from '../kernel/errors';
import type { DomainEvent } from '../kernel/event';
import { isUuid } from '../kernel/ids';
import type { Processing } from '../processing/processing';
import type { Projection } from '../processing/projection';
import type { ReadModels } from '../processing/read-models';
import { runsProjection } from '../runs/projections/runs.projection';
import type { WakeupDocument } from '../wakeups/projections/wakeups.projection';
import { wakeupsProjection } from '../wakeups/projections/wakeups.projection';
import type { AgentAddress } from './agents.store';
import { agentsProjection } from './projections/agents.projection';

const MAX_CACHED_AGENTS = 100_000;

/**
 * Finds what an id belongs to. Says that there is no such thing only after the read model has handled the log as it
 * was when the question came.
 */
export class Directory {
  /** An agent never changes its company. */
  private readonly agents = new Map<string, AgentAddress>();

  constructor(
    private readonly processing: Processing,
    private readonly readModels: ReadModels,
  ) {}

  async company(companyId: string): Promise<CompanyDocument> {
    return this.find(companiesProjection, companyId, 'company_not_found');
  }

  async agent(agentId: string): Promise<AgentAddress> {
    const known = this.agents.get(agentId);
    if (known) return known;
    const { companyId } = await this.find(agentsProjection, agentId, 'agent_not_found');
    const address = { companyId, agentId };
    if (this.agents.size < MAX_CACHED_AGENTS) this.agents.set(agentId, address);
    return address;
  }

  async wakeup(wakeupId: string): Promise<WakeupDocument> {
    return this.find(wakeupsProjection, wakeupId, 'wakeup_not_found');
  }

  async run(runId: string): Promise<AgentAddress & { runId: string }> {
    const { companyId, agentId } = await this.find(runsProjection, runId, 'run_not_found');
    // A run that is only reserved is nothing that anybody can know of.
    if (companyId === null || agentId === null) throw new DomainError('run_not_found');
    return { companyId, agentId, runId };
  }

  private async find<D extends Document, E extends DomainEvent>(
    projection: Projection<D, E>,
    id: string,
    missing: ErrorCode,
  ): Promise<D> {
    if (!isUuid(id)) throw new DomainError(missing);
    const known = await this.readModels.get(projection, id);
    if (known) return known;
    await this.processing.waitForHead([projection.name]);
    const found = await this.readModels.get(projection, id);
    if (!found) throw new DomainError(missing);
    return found;
  }
}
