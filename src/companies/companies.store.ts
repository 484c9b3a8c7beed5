import { AggregateStore } from '../event-log/aggregate-store';
import type { EventLog } from '../event-log/event-log';
import type { Clock } from '../kernel/clock';
import type { Cause } from '../kernel/cause';
import { correlationOf } from '../kernel/cause';
import type { Position, Recorded } from '../kernel/event';
import { uuidv7 } from '../kernel/ids';
import { companyStream } from '../kernel/streams';
import type { CompanyCommand, CompanyState } from './domain/company.decider';
import { companyDecider } from './domain/company.decider';
import type { CompanyEvent } from './domain/company.events';
import { companyEventShapes } from './domain/company.events';

/** A command as callers write it. */
type BareCompanyCommand = CompanyCommand extends infer C
  ? C extends CompanyCommand
    ? Omit<C, 'at'>
    : never
  : never;

/** The way to the companies' streams. */
export class CompaniesStore {
  private readonly store: AggregateStore<CompanyState, CompanyCommand, CompanyEvent>;

  constructor(
    private readonly log: EventLog,
    private readonly clock: Clock,
    nodeId: string,
  ) {
    this.store = new AggregateStore(log, companyDecider, { shapes: companyEventShapes, nodeId });
  }

  /**
   * Answers what the command has caused, and the position by which its effect is seen.
   *
   * @param now when the decision is made; by default the clock's
   * @throws DomainError
   */
  async execute(
    command: BareCompanyCommand,
    cause: Cause,
    now: Date = this.clock.now(),
  ): Promise<{ position: Position; events: readonly Recorded<CompanyEvent>[] }> {
    const { companyId } = command;
    const { events, position } = await this.store.execute(
      companyStream(companyId),
      { ...command, at: now.toISOString() },
      {
        commandId: uuidv7(),
        companyId,
        actor: cause.actor,
        correlationId: correlationOf(cause),
        causationId: cause.event?.id,
      },
      () => undefined,
    );
    return { position: position ?? (await this.log.head()), events };
  }
}
