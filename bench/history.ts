import { join } from 'node:path';
import { AgentsStore } from '../src/agents/agents.store';
import type { AgentConfiguration } from '../src/agents/domain/agent.events';
import { defaultPolicy } from '../src/agents/domain/policy';
import type { CostEntry } from '../src/costs/domain/cost-entry';
import { EmbeddedEventLog } from '../src/event-log/embedded/embedded-event-log';
import { seal } from '../src/event-log/seal';
import { CHAIN_START } from '../src/kernel/chain';
import { systemClock } from '../src/kernel/clock';
import type { EventMetadata } from '../src/kernel/event';
import { NO_STREAM } from '../src/kernel/event';
import { FIRST_SHAPE } from '../src/kernel/event-shape';
import { derivedUuid, uuidv7 } from '../src/kernel/ids';
import { companyStream, runStream } from '../src/kernel/streams';
import { wakeupSchema } from '../src/wakeups/wakeup.schemas';
import type { RunEventData } from '../src/runs/domain/run.events';
import { lifecycle } from '../src/runs/domain/run.events';

const NODE = 'bench';
const ACTOR = { type: 'user', id: 'bench' } as const;
/** Agents that are at work at once, so that the log commits groups. */
const AT_ONCE = 200;
const EVENTS_PER_LIFECYCLE = 7;
const DAY_MS = 24 * 3_600_000;

/** What a run has used, and when: nothing but its end is in the ledger where `booked` is null. */
interface Spend {
  booked: CostEntry | null;
  settlement: CostEntry | null;
}

const NOTHING_SPENT: Spend = { booked: null, settlement: null };

/**
 * Writes a log as a server would have, decisions included, but faster: for scenarios that begin with a long one.
 * It is to be the only one that has the data folder open.
 */
export class History {
  private readonly agents: AgentsStore;
  readonly companyId = uuidv7();
  eventCount = 0;
  /** What the ledger has to say. */
  spentMicros = 0;

  static async begin(dataDir: string): Promise<History> {
    const history = new History(await EmbeddedEventLog.open(join(dataDir, 'stores')));
    const data = { companyId: history.companyId, name: 'Bench', externalKey: null };
    await history.append(companyStream(history.companyId), [{ type: 'CompanyRegistered', data }]);
    return history;
  }

  private constructor(private readonly log: EmbeddedEventLog) {
    this.agents = new AgentsStore(log, systemClock, NODE, () => Promise.resolve({ companyPaused: false }));
  }

  /** Agents that are never woken but by their timer, which is due for the first time at `dueAt`. */
  async timers(count: number, intervalSec: number, dueAt: (index: number) => string): Promise<void> {
    await inParallel(count, async (index) => {
      const agentId = await this.agent({ ...defaultPolicy, intervalSec });
      const at = dueAt(index);
      await this.tell(agentId, { type: 'ScheduleTimer', version: 1, due: { at, base: at } });
    });
  }

  /** Runs that succeeded, shared out over agents, until there are so many events. */
  async lifecycles(events: number, agentCount: number): Promise<void> {
    const each = Math.ceil(events / EVENTS_PER_LIFECYCLE / agentCount);
    await inParallel(agentCount, async () => {
      const agentId = await this.agent(defaultPolicy);
      for (let index = 0; index < each; index++) await this.lifecycle(agentId);
    });
  }

  /**
   * Runs over so many days until now, in the order of time, each with usage that was booked while it went on and settled
   * by its result: as many as make so many events.
   *
   * @returns the agents
   */
  async months(events: number, agentCount: number, days: number): Promise<string[]> {
    const agentIds: string[] = [];
    await inParallel(agentCount, async () => void agentIds.push(await this.agent(defaultPolicy)));
    const rounds = Math.ceil(events / (EVENTS_PER_LIFECYCLE + 1) / agentCount);
    const begin = Date.now() - days * DAY_MS;
    for (let round = 0; round < rounds; round++) {
      const at = new Date(begin + Math.floor((round / rounds) * days * DAY_MS));
      await inParallel(agentCount, (index) => this.lifecycle(agentIds[index]!, at, spendOf(index)));
    }
    return agentIds;
  }

  end(): Promise<void> {
    return this.log.close();
  }

  private async agent(heartbeat: typeof defaultPolicy): Promise<string> {
    const agentId = uuidv7();
    const configuration: AgentConfiguration = {
      name: `agent ${agentId}`,
      adapterType: 'process',
      adapterConfig: { command: 'true' },
      runtimeConfig: { heartbeat },
    };
    const { companyId } = this;
    const rest = { externalKey: null, requiresApproval: false, configuration };
    await this.tell(agentId, { type: 'RegisterAgent', companyId, agentId, ...rest });
    return agentId;
  }

  private async lifecycle(agentId: string, now = new Date(), spend = NOTHING_SPENT): Promise<void> {
    const [wakeupId, runId, claimId] = [uuidv7(), uuidv7(), uuidv7()];
    const request = wakeupSchema.parse({ reason: 'bench' });
    const hashes = { keyHash: null, requestHash: runId };
    await this.tell(agentId, { type: 'RequestWakeup', wakeupId, runId, request, ...hashes }, now);
    const placement = { freeAdapterTypes: [], goneNodeId: null };
    await this.tell(agentId, { type: 'StartRun', runId, nodeId: NODE, claimId, ...placement }, now);
    const line = (message: string) => ({
      type: 'RunLifecycleRecorded',
      data: this.line(agentId, runId, message),
    });
    const usage = spend.booked && {
      type: 'UsageBooked',
      data: {
        ...this.line(agentId, runId, 'usage'),
        eventType: 'usage',
        payload: { ...spend.booked, invocationSource: request.source, taskKey: null },
      },
    };
    const lines = [line(lifecycle.queued), line(lifecycle.started), usage, line(lifecycle.succeeded)];
    await this.append(
      runStream(this.companyId, runId),
      lines.filter((event) => event !== null),
      now,
    );
    const ended = { exitCode: 0, signal: null, exitedAt: now.toISOString(), errorCode: null, error: null };
    const outcome = { ...ended, report: null, log: null };
    const claim = { runId, nodeId: NODE, claimId };
    const { booked, settlement } = spend;
    this.spentMicros += (booked?.costMicros ?? 0) + (settlement?.costMicros ?? 0);
    await this.tell(agentId, { type: 'FinishRun', ...claim, outcome, settlement }, now);
  }

  private async tell(
    agentId: string,
    command: Parameters<AgentsStore['execute']>[1],
    now = new Date(),
  ): Promise<void> {
    const address = { companyId: this.companyId, agentId };
    const { events } = await this.agents.execute(address, command, { actor: ACTOR }, () => undefined, now);
    this.eventCount += events.length;
  }

  private async append(
    stream: string,
    events: readonly { type: string; data: object }[],
    now = new Date(),
  ): Promise<void> {
    const commandId = uuidv7();
    const metadata: Omit<EventMetadata, 'hash'> = {
      schemaVersion: FIRST_SHAPE.version,
      at: now.toISOString(),
      companyId: this.companyId,
      ...{ correlationId: commandId, causationId: null, commandId, actor: ACTOR, nodeId: NODE },
    };
    const unsealed = events.map((event, index) => ({
      id: derivedUuid(commandId, index),
      ...event,
      metadata,
    }));
    await this.log.append(stream, seal(unsealed, CHAIN_START), NO_STREAM);
    this.eventCount += events.length;
  }

  private line(agentId: string, runId: string, message: string): RunEventData<'lifecycle'> {
    const fixed = {
      eventType: 'lifecycle',
      stream: 'system',
      level: 'info',
      color: null,
      payload: null,
    } as const;
    return { companyId: this.companyId, agentId, runId, message, ...fixed };
  }
}

/** Of four models in turn, a cent or two each, of which half was booked before the end. */
function spendOf(index: number): Spend {
  const usage = { inputTokens: 900 + (index % 7), outputTokens: 80, cachedInputTokens: 4_000 };
  const model = { provider: 'anthropic', model: `model-${index % 4}` };
  const entry: CostEntry = { ...model, ...usage, costMicros: 5_000 + index, costSource: 'reported' };
  return { booked: entry, settlement: entry };
}

async function inParallel(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}
