import type { Clock } from '../kernel/clock';
import type { Actor, Position, Recorded } from '../kernel/event';
import { uuidv7 } from '../kernel/ids';
import { agentStream } from '../kernel/streams';
import type { Executed } from '../event-log/aggregate-store';
import { AggregateStore } from '../event-log/aggregate-store';
import type { EventLog } from '../event-log/event-log';
import type { AgentCommand } from './domain/agent.commands';
import { agentDecider } from './domain/agent.decider';
import type { AgentEvent } from './domain/agent.events';
import { AGENT_SCHEMA_VERSION } from './domain/agent.events';
import type { AgentState } from './domain/agent.state';

export interface AgentAddress {
  companyId: string;
  agentId: string;
}

/** A command as callers write it: the store adds the time. */
export type UntimedAgentCommand = AgentCommand extends infer C
  ? C extends AgentCommand
    ? Omit<C, 'at'>
    : never
  : never;

/** Who asks, and because of what. */
export interface Cause {
  actor: Actor;
  /** The event that led to the command; none for a request from outside. */
  event?: Pick<Recorded, 'id' | 'metadata'>;
}

/** The way to the agents' streams. */
export class AgentsStore {
  private readonly store: AggregateStore<AgentState, AgentCommand, AgentEvent>;

  constructor(
    private readonly log: EventLog,
    private readonly clock: Clock,
    nodeId: string,
  ) {
    this.store = new AggregateStore(log, agentDecider, { schemaVersion: AGENT_SCHEMA_VERSION, nodeId });
  }

  /**
   * @param answer sees the state right after the command; it must copy what it keeps
   * @throws DomainError
   */
  execute<Answer>(
    { companyId, agentId }: AgentAddress,
    command: UntimedAgentCommand,
    cause: Cause,
    answer: (state: AgentState) => Answer,
  ): Promise<Executed<AgentEvent, Answer>> {
    const timed = { ...command, at: this.clock.now().toISOString() };
    return this.store.execute(
      agentStream(companyId, agentId),
      timed,
      {
        commandId: uuidv7(),
        companyId,
        actor: cause.actor,
        correlationId: cause.event?.metadata.correlationId,
        causationId: cause.event?.id,
      },
      answer,
    );
  }

  inspect<Answer>(
    { companyId, agentId }: AgentAddress,
    look: (state: AgentState) => Answer,
  ): Promise<Answer> {
    return this.store.inspect(agentStream(companyId, agentId), look);
  }

  /** The position to answer with where a command had nothing to write: everything up to now is seen by then. */
  head(): Promise<Position> {
    return this.log.head();
  }
}
