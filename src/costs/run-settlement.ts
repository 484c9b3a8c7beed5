import type { RunReport } from '../agents/domain/agent.events';
import type { EventLog } from '../event-log/event-log';
import type { Clock } from '../kernel/clock';
import { decode } from '../kernel/event';
import { runStream } from '../kernel/streams';
import type { RunEvent } from '../runs/domain/run.events';
import type { CostEntry } from './domain/cost-entry';
import type { PriceTables } from './domain/prices';
import { NOTHING_BOOKED, book, settlementOf } from './domain/settlement';

/**
 * Works out what a run's end adds to the ledger. What was booked before is read from the run's stream, never
 * remembered: the node that ends a run may not be the one that booked, nor even the same process.
 */
export class RunSettlement {
  constructor(
    private readonly log: EventLog,
    private readonly clock: Clock,
    private readonly prices: PriceTables,
  ) {}

  /** Null where there is nothing to add, or nothing was executed. */
  async of(
    run: { companyId: string; runId: string },
    outcome: { report: RunReport | null; errorCode: string | null },
  ): Promise<CostEntry | null> {
    let booked = NOTHING_BOOKED;
    let wasInvoked = false;
    for await (const stored of this.log.read(runStream(run.companyId, run.runId))) {
      const { event } = decode<RunEvent>(stored);
      if (event.type === 'UsageBooked') booked = book(booked, event.data.payload);
      wasInvoked ||= event.type === 'AdapterInvoked';
    }
    if (!wasInvoked || outcome.errorCode === 'spawn_failed') return null;
    const pricing = { tables: await this.prices(run.companyId), at: this.clock.now().toISOString() };
    return settlementOf(outcome.report, booked, pricing);
  }
}
