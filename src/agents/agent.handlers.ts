import { Inject, Injectable } from '@nestjs/common';
import type { ICommandHandler } from '@nestjs/cqrs';
import { Command, CommandHandler } from '@nestjs/cqrs';
import type { z } from 'zod';
import { AdapterRegistry } from '../adapters/adapter';
import type { Principal } from '../auth/principal';
import { ExternalKeys } from '../event-log/external-keys';
import { parse } from '../http/parse';
import { Written } from '../http/written';
import type { Clock } from '../kernel/clock';
import { DomainError } from '../kernel/errors';
import type { Cause } from '../kernel/cause';
import type { Position, Recorded } from '../kernel/event';
import { uuidv7 } from '../kernel/ids';
import { Processing } from '../processing/processing';
import { ReadModels } from '../processing/read-models';
import { CLOCK } from '../tokens';
import { checkAdapter, configurationSchema, patchedConfiguration } from './agent.schemas';
import type { AgentPatch, registerAgentSchema } from './agent.schemas';
import type { AgentView } from './agent.view';
import { agentView } from './agent.view';
import type { AgentAddress } from './agents.store';
import { AgentsStore } from './agents.store';
import { Directory } from './directory';
import type { AgentEvent, AgentRegistered } from './domain/agent.events';
import type { RegisteredAgent } from './domain/agent.state';
import { agentsProjection } from './projections/agents.projection';

export class RegisterAgent extends Command<Written<AgentView>> {
  constructor(
    readonly companyId: string,
    readonly agent: z.output<typeof registerAgentSchema>,
    readonly cause: Cause,
  ) {
    super();
  }
}

export class PatchAgent extends Command<Written<AgentView>> {
  constructor(
    readonly agentId: string,
    readonly patch: AgentPatch,
    /** From `If-Match`; null: whatever the version is. */
    readonly version: number | null,
    readonly principal: Principal,
    readonly cause: Cause,
  ) {
    super();
  }
}

export type StatusChange = 'approve' | 'pause' | 'resume' | 'terminate';

export class ChangeAgentStatus extends Command<Written<AgentView & { cancelledRuns: string[] }>> {
  constructor(
    readonly agentId: string,
    readonly change: StatusChange,
    readonly cause: Cause,
  ) {
    super();
  }
}

export class ResetSession extends Command<AgentAddress & { position: Position }> {
  constructor(
    readonly agentId: string,
    /** null: the agent's own session. */
    readonly taskKey: string | null,
    readonly cause: Cause,
  ) {
    super();
  }
}

/** Shows an agent as it is at a position. */
@Injectable()
export class AgentAnswers {
  constructor(
    private readonly processing: Processing,
    private readonly readModels: ReadModels,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** As its registration made it. */
  of(registered: Recorded<AgentEvent>): AgentView {
    const document = agentsProjection.evolve(null, registered as Recorded<AgentRegistered>);
    return agentView(document!, this.clock.now());
  }

  async at(position: Position, agentId: string): Promise<AgentView> {
    await this.processing.waitFor(position, [agentsProjection.name]);
    const document = await this.readModels.get(agentsProjection, agentId);
    if (!document) throw new DomainError('agent_not_found');
    return agentView(document, this.clock.now());
  }
}

@CommandHandler(RegisterAgent)
export class RegisterAgentHandler implements ICommandHandler<RegisterAgent> {
  constructor(
    private readonly directory: Directory,
    private readonly keys: ExternalKeys,
    private readonly adapters: AdapterRegistry,
    private readonly agents: AgentsStore,
    private readonly answers: AgentAnswers,
  ) {}

  async execute({ companyId, agent, cause }: RegisterAgent) {
    await this.directory.company(companyId);
    const { externalKey = null, requiresApproval, ...configuration } = agent;
    checkAdapter(this.adapters, configuration);
    const newId = uuidv7();
    const agentId =
      externalKey === null ? newId : await this.keys.reserve(companyId, externalKey, newId, cause);
    const { events, position } = await this.agents.execute(
      { companyId, agentId },
      { type: 'RegisterAgent', companyId, agentId, externalKey, requiresApproval, configuration },
      cause,
      () => undefined,
    );
    // The answer to a new one comes from its own event: what has been written is never answered with a failure.
    const [registered] = events;
    if (registered && position !== null) return new Written(this.answers.of(registered), position, 201);
    const seenBy = await this.agents.head();
    return new Written(await this.answers.at(seenBy, agentId), seenBy, 200);
  }
}

@CommandHandler(PatchAgent)
export class PatchAgentHandler implements ICommandHandler<PatchAgent> {
  constructor(
    private readonly directory: Directory,
    private readonly adapters: AdapterRegistry,
    private readonly agents: AgentsStore,
    private readonly answers: AgentAnswers,
  ) {}

  async execute(command: PatchAgent) {
    refuseExecutables(command.patch, command.principal);
    const address = await this.directory.agent(command.agentId);
    const seenBy = (await this.update(address, command)) ?? (await this.agents.head());
    return new Written(await this.answers.at(seenBy, command.agentId), seenBy);
  }

  /** Whoever names no version wants the patch on whatever is there, also where somebody else was faster meanwhile. */
  private async update(address: AgentAddress, command: PatchAgent): Promise<Position | null> {
    for (;;) {
      try {
        return await this.updateOnce(address, command);
      } catch (error) {
        const isOvertaken = error instanceof DomainError && error.code === 'version_conflict';
        if (!isOvertaken || command.version !== null) throw error;
      }
    }
  }

  private async updateOnce(
    address: AgentAddress,
    { patch, version, cause }: PatchAgent,
  ): Promise<Position | null> {
    const current = await this.agents.inspect(address, (state) => {
      const { configuration, version } = state as RegisteredAgent;
      return { configuration: structuredClone(configuration), version };
    });
    if (version !== null && version !== current.version) {
      throw new DomainError('version_conflict', undefined, { version: current.version });
    }
    const configuration = parse(configurationSchema, patchedConfiguration(current.configuration, patch));
    checkAdapter(this.adapters, configuration);
    const { position } = await this.agents.execute(
      address,
      { type: 'UpdateAgent', baseVersion: current.version, configuration },
      cause,
      () => undefined,
    );
    return position;
  }
}

/** Whoever says what is executed can do whatever the server's user can. @throws DomainError `forbidden` */
function refuseExecutables(patch: AgentPatch, { role }: Principal): void {
  const field = (['adapterType', 'adapterConfig'] as const).find((name) => patch[name] !== undefined);
  if (role === 'admin' || field === undefined) return;
  throw new DomainError('forbidden', `Only an admin may set ${field}`, { role: 'admin', field });
}

const statusCommands = {
  approve: { type: 'ApproveAgent' },
  pause: { type: 'PauseAgent', reason: 'manual' },
  resume: { type: 'ResumeAgent' },
  terminate: { type: 'TerminateAgent' },
} as const satisfies Record<StatusChange, object>;

@CommandHandler(ChangeAgentStatus)
export class ChangeAgentStatusHandler implements ICommandHandler<ChangeAgentStatus> {
  constructor(
    private readonly directory: Directory,
    private readonly agents: AgentsStore,
    private readonly answers: AgentAnswers,
  ) {}

  async execute({ agentId, change, cause }: ChangeAgentStatus) {
    const address = await this.directory.agent(agentId);
    const { events, position } = await this.agents.execute(
      address,
      statusCommands[change],
      cause,
      () => undefined,
    );
    const cancelledRuns = events.flatMap(({ event }) =>
      event.type === 'RunEndRequested' || event.type === 'RunFinished' ? [event.data.runId] : [],
    );
    const seenBy = position ?? (await this.agents.head());
    return new Written({ ...(await this.answers.at(seenBy, agentId)), cancelledRuns }, seenBy);
  }
}

@CommandHandler(ResetSession)
export class ResetSessionHandler implements ICommandHandler<ResetSession> {
  constructor(
    private readonly directory: Directory,
    private readonly agents: AgentsStore,
  ) {}

  async execute({ agentId, taskKey, cause }: ResetSession) {
    const address = await this.directory.agent(agentId);
    const { position } = await this.agents.execute(
      address,
      { type: 'ResetSession', taskKey },
      cause,
      () => undefined,
    );
    return { ...address, position: position ?? (await this.agents.head()) };
  }
}
