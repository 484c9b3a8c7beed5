import { Directory } from '../../src/agents/directory';
import type { WakeupSource } from '../../src/agents/domain/agent.events';
import { companiesProjection } from '../../src/companies/projections/companies.projection';
import { COST_MODELS } from '../../src/costs/company-costs';
import type { CostGroup, Grouping } from '../../src/costs/cost-groups';
import { GetCosts, GetCostsHandler } from '../../src/costs/cost.queries';
import type { CostEntry } from '../../src/costs/domain/cost-entry';
import type { Period } from '../../src/costs/period';
import type { DocumentStore } from '../../src/documents/document-store';
import { EmbeddedDocumentStore } from '../../src/documents/embedded/embedded-document-store';
import { EmbeddedEventLog } from '../../src/event-log/embedded/embedded-event-log';
import type { DomainEvent } from '../../src/kernel/event';
import { NO_STREAM } from '../../src/kernel/event';
import { uuidv7 } from '../../src/kernel/ids';
import { projections } from '../../src/node';
import { Processing } from '../../src/processing/processing';
import { ReadModels } from '../../src/processing/read-models';
import { finished, NODE, queued } from './agent-history';
import { someEvent } from './events';
import { temporaryFolder } from './temporary-folder';
import { PATIENCE_MS } from './world';

/** One run as a test writes it into the ledger. Times are ISO 8601 UTC. */
export interface LedgerRun {
  agentId: string;
  source: WakeupSource;
  startedAt: string;
  booked: readonly { at: string; entry: CostEntry }[];
  /** null: it still runs. `byOther`: another node has ended it, and more may be booked. */
  end: { at: string; settlement: CostEntry | null; byOther: boolean } | null;
}

interface TimedEvent {
  at: string;
  nodeId: string;
  event: DomainEvent<string, object>;
}

/** What of the log costs are made of, and the query that answers from it. */
export class LedgerWorld {
  readonly companyId = uuidv7();
  /** Documents that were read since it was last set to 0. */
  documentsRead = 0;
  private documents!: EmbeddedDocumentStore;
  private processing!: Processing;
  private handler!: GetCostsHandler;

  private constructor(private readonly log: EmbeddedEventLog) {}

  static async open(runs: readonly LedgerRun[]): Promise<LedgerWorld> {
    const folder = temporaryFolder();
    const world = new LedgerWorld(await EmbeddedEventLog.open(folder));
    world.documents = await EmbeddedDocumentStore.open(folder);
    const data = { companyId: world.companyId, name: 'Ledger', externalKey: null };
    const first = {
      at: '2026-01-01T00:00:00.000Z',
      nodeId: NODE,
      event: { type: 'CompanyRegistered', data },
    };
    const later = runs.flatMap((run, index) => world.eventsOf(run, index));
    later.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
    const { companyId } = world;
    const events = [first, ...later].map(({ at, nodeId, event: { type, data } }) =>
      someEvent({ type, data: JSON.stringify(data), metadata: { at, nodeId, companyId } }),
    );
    await world.log.append('agent-of.all', events, NO_STREAM);
    await world.start();
    return world;
  }

  costs(groupBy: Grouping, period: Period): Promise<{ items: CostGroup[]; totalMicros: number }> {
    return this.handler.execute(new GetCosts(this.companyId, period, groupBy, null));
  }

  async close(): Promise<void> {
    await this.processing.stop();
    await this.documents.close();
    await this.log.close();
  }

  private async start(): Promise<void> {
    const fail = (details: object, message: string) => {
      throw new Error(`${message}: ${JSON.stringify(details)}`);
    };
    const store = counting(this.documents, (count) => (this.documentsRead += count));
    this.processing = new Processing(this.log, store, { error: fail, warn: fail });
    const needed = [...COST_MODELS, companiesProjection.name];
    await this.processing.start(
      projections.filter(({ name }) => needed.includes(name)),
      [],
    );
    await this.processing.waitForHead(needed, PATIENCE_MS);
    const readModels = new ReadModels(store, this.processing.generations);
    const directory = new Directory(this.processing, readModels);
    this.handler = new GetCostsHandler(directory, this.processing, readModels);
  }

  private eventsOf({ agentId, source, startedAt, booked, end }: LedgerRun, index: number): TimedEvent[] {
    const ids = { companyId: this.companyId, agentId };
    const start = queued(index, { source });
    const own = { nodeId: NODE };
    const bookings = booked.map(({ at, entry }) => {
      const payload = { ...entry, invocationSource: source, taskKey: null };
      const data = { ...ids, runId: `r${index}`, eventType: 'usage', payload };
      return { ...own, at, event: { type: 'UsageBooked', data } };
    });
    const events = [
      { ...own, at: startedAt, event: { ...start, data: { ...start.data, ...ids } } },
      ...bookings,
    ];
    if (end === null) return events;
    const { at, settlement, byOther } = end;
    const last = finished(index, { ...ids, startedAt, invocationSource: source, settlement });
    return [...events, { at, nodeId: byOther ? 'node-2' : NODE, event: last }];
  }
}

/** The same store, which tells how many documents each reading call has found. */
function counting(store: DocumentStore, onRead: (count: number) => void): DocumentStore {
  return new Proxy(store, {
    get(target, property: keyof DocumentStore) {
      const method = target[property] as (...given: unknown[]) => Promise<unknown>;
      return async (...given: unknown[]) => {
        const answer = await method.apply(target, given);
        if (property === 'get') onRead(answer === null ? 0 : 1);
        if (property === 'getMany') onRead((answer as Map<string, unknown>).size);
        if (property === 'query') onRead((answer as { items: unknown[] }).items.length);
        return answer;
      };
    },
  });
}
