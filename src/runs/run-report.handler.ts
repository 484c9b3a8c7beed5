import { Inject } from '@nestjs/common';
import type { ICommandHandler } from '@nestjs/cqrs';
import { Command, CommandHandler } from '@nestjs/cqrs';
import { AgentsStore } from '../agents/agents.store';
import { Directory } from '../agents/directory';
import type { Principal } from '../auth/principal';
import { Written } from '../http/written';
import { DomainError } from '../kernel/errors';
import type { ReportedEvent } from '../runner/reported-event';
import { NODE_ID } from '../tokens';
import { NodeExecution } from './node-execution';
import type { RunAddress } from './run-claims';
import type { ReportedView } from './runs.routes';

/** A run says something of itself while it is going on. */
export class ReportToRun extends Command<Written<ReportedView>> {
  constructor(
    readonly runId: string,
    readonly report: ReportedEvent,
    readonly key: string | null,
    readonly principal: Principal,
  ) {
    super();
  }
}

/** Only who executes a run knows what to mask, and when it is settled: so only there reports are taken. */
@CommandHandler(ReportToRun)
export class ReportToRunHandler implements ICommandHandler<ReportToRun> {
  constructor(
    private readonly directory: Directory,
    private readonly agents: AgentsStore,
    private readonly execution: NodeExecution,
    @Inject(NODE_ID) private readonly nodeId: string,
  ) {}

  async execute({ runId, report, key, principal }: ReportToRun) {
    if (principal.runId !== null && principal.runId !== runId) {
      throw new DomainError('forbidden', 'The token of a run is for that run only', {
        runId: principal.runId,
      });
    }
    const address = await this.directory.run(runId);
    const place = await this.execution.report(runId, report, key);
    if (place === null) throw await this.refusal(address);
    return new Written({ runId, seq: place.seq, position: `${place.position}` }, place.position);
  }

  private async refusal({ companyId, agentId, runId }: RunAddress): Promise<DomainError> {
    const nodeId = await this.agents.inspect(
      { companyId, agentId },
      (state) => (state.status !== 'unregistered' && state.runs.get(runId)?.claim?.nodeId) || null,
    );
    if (nodeId === null) return new DomainError('run_not_open', undefined, { because: 'not_running' });
    if (nodeId !== this.nodeId) return new DomainError('run_not_open', undefined, { because: 'other_node' });
    return new DomainError('not_caught_up', 'The run is being taken up: ask again');
  }
}
