import type { Clock } from '../kernel/clock';
import type { Cause } from '../kernel/cause';
import { correlationOf } from '../kernel/cause';
import type { Position } from '../kernel/event';
import { uuidv7 } from '../kernel/ids';
import { agentStream } from '../kernel/streams';
import type { Executed } from '../event-log/aggregate-store';
import { AggregateStore } from '../event-log/aggregate-store';
import type { EventLog } from '../event-log/event-log';
import type { AgentCommand, CompanyStanding } from './domain/agent.commands';
import { agentDecider } from './domain/agent.decider';
import type { AgentEvent } from './domain/agent.events';
import { agentEventShapes } from './domain/agent.events';
import type { AgentState } from './domain/agent.state';

export interface AgentAddress {
  companyId: string;
  agentId: string;
}

/** What the store adds to commands: time, ids, chance, and what other streams say. */
interface Circumstances extends CompanyStanding {
  at: string;
  nextRunId: string;
  jitter: number;
}

/** The commands whose outcome depends on how the company stands. */
const HELD_WITH_COMPANY: ReadonlySet<AgentCommand['type']> = new Set([
  'RequestWakeup',
  'ReleaseDeferredWakeups',
  'HandleDue',
  'StartRun',
]);

/** A command as callers write it. */
export type BareAgentCommand = AgentCommand extends infer C
  ? C extends AgentCommand
    ? Omit<C, keyof Circumstances>
    : never
  : never;

/** The way to the agents' streams. */
export class AgentsStore {
  private readonly store: AggregateStore<AgentState, AgentCommand, AgentEvent>;

  constructor(
    private readonly log: EventLog,
    private readonly clock: Clock,
    nodeId: string,
    private readonly companyStanding: (companyId: string, at: string) => Promise<CompanyStanding>,
  ) {
    this.store = new AggregateStore(log, agentDecider, { shapes: agentEventShapes, nodeId });
  }

  /**
   * @param answer sees the state right after the command; it must copy what it keeps
   * @param now    when the decision is made; by default the clock's
   * @throws DomainError
   */
  async execute<Answer>(
    { companyId, agentId }: AgentAddress,
    command: BareAgentCommand,
    cause: Cause,
    answer: (state: AgentState) => Answer,
    now: Date = this.clock.now(),
  ): Promise<Executed<AgentEvent, Answer>> {
    const at = now.toISOString();
    const dependsOnCompany = HELD_WITH_COMPANY.has(command.type);
    const circumstances: Circumstances = {
      at,
      ...(dependsOnCompany ? await this.companyStanding(companyId, at) : { companyPaused: false }),
      nextRunId: uuidv7(),
      jitter: Math.random(),
    };
    return this.store.execute(
      agentStream(companyId, agentId),
      { ...command, ...circumstances },
      {
        commandId: uuidv7(),
        companyId,
        actor: cause.actor,
        correlationId: correlationOf(cause),
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
