import pino from 'pino';
import { temporaryFolder } from '../../test/support/temporary-folder';
import type { AgentAddress, AgentsStore } from '../agents/agents.store';
import type { Document, Page, Query } from '../documents/document-store';
import { EmbeddedDocumentStore } from '../documents/embedded/embedded-document-store';
import { TestClock } from '../kernel/clock';
import type { DomainEvent } from '../kernel/event';
import { uuidv7 } from '../kernel/ids';
import type { Processing } from '../processing/processing';
import { Generations } from '../processing/generations';
import { collectionName, collectionOf } from '../processing/projection';
import type { Projection } from '../processing/projection';
import { ReadModels } from '../processing/read-models';
import { AlarmClock } from './alarm-clock';
import { alarmsProjection } from './projections/alarms.projection';

const AGENTS = 100_000;
const BATCH = 5_000;
const NOW = new Date('2026-01-01T12:00:00.000Z');

/** Read models that count what is read of them. */
class CountingReadModels extends ReadModels {
  queryCount = 0;
  documentCount = 0;

  override async query<D extends Document, E extends DomainEvent>(
    projection: Projection<D, E>,
    query: Query,
  ): Promise<Page<D>> {
    const page = await super.query(projection, query);
    this.queryCount += 1;
    this.documentCount += page.items.length;
    return page;
  }
}

describe(`${AGENTS} agents with timers`, () => {
  let documents: EmbeddedDocumentStore;
  let counted: CountingReadModels;
  let clock: AlarmClock;
  const collection = collectionName(alarmsProjection);
  const looked: AgentAddress[] = [];

  async function store(alarms: { agentId: string; dueAt: string }[], position: bigint): Promise<void> {
    const writes = alarms.map(({ agentId, dueAt }) => {
      return { id: agentId, document: { companyId: 'c', agentId, dueAt }, position };
    });
    await documents.writeBatch({ collection, writes, checkpoint: { name: collection, position } });
  }

  beforeAll(async () => {
    documents = await EmbeddedDocumentStore.open(temporaryFolder());
    await documents.ensure(collectionOf(alarmsProjection));
    for (let from = 0; from < AGENTS; from += BATCH) {
      const later = (index: number) => new Date(NOW.getTime() + 60_000 + index).toISOString();
      const batch = Array.from({ length: BATCH }, (_, index) => ({
        agentId: uuidv7(),
        dueAt: later(from + index),
      }));
      await store(batch, BigInt(from + 1));
    }
    counted = new CountingReadModels(documents, new Generations(documents));
    // Only which agents are asked matters here; what they then decide is tested with the decider.
    const agents = {
      inspect: (address: AgentAddress) => {
        looked.push(address);
        return Promise.resolve(null);
      },
      execute: () => Promise.resolve({ events: [], position: null, answer: undefined }),
    } as unknown as AgentsStore;
    const processing = { waitForHead: () => Promise.resolve(0n) } as unknown as Processing;
    const time = new TestClock();
    time.set(NOW);
    clock = new AlarmClock({
      agents,
      processing,
      readModels: counted,
      clock: time,
      logger: pino({ level: 'silent' }),
      budgets: { reviewCompany: () => Promise.reject(new Error('no company is due')) },
    });
  }, 60_000);

  afterAll(() => documents.close());

  beforeEach(() => {
    counted.queryCount = counted.documentCount = looked.length = 0;
  });

  test('nothing due: one look at one alarm', async () => {
    expect(await clock.tickTimers()).toEqual({ checked: 0, enqueued: 0, skipped: 0 });
    expect(counted).toMatchObject({ queryCount: 1, documentCount: 1 });
    expect(looked).toEqual([]);
  });

  test('three due: three agents are looked at, and no page more', async () => {
    const due = Array.from({ length: 3 }, () => ({
      agentId: uuidv7(),
      dueAt: new Date(NOW.getTime() - 1).toISOString(),
    }));
    await store(due, BigInt(AGENTS + 1));
    await clock.tickTimers();
    expect(looked.map(({ agentId }) => agentId).sort()).toEqual(due.map(({ agentId }) => agentId).sort());
    expect(counted.queryCount).toBe(2);
    expect(counted.documentCount).toBeLessThanOrEqual(201);
  });
});
