import type { AgentView, RuntimeStateView } from '../agents/agent.view';
import { agentView } from '../agents/agent.view';
import type { AgentAddress } from '../agents/agents.store';
import type { AgentEvent } from '../agents/domain/agent.events';
import { agentsProjection } from '../agents/projections/agents.projection';
import { neverRan, runtimeStatesProjection } from '../agents/projections/runtime-states.projection';
import type { CostGroup, Grouping } from '../costs/cost-groups';
import { CostGroups } from '../costs/cost-groups';
import { costEntriesProjection } from '../costs/projections/cost-entries.projection';
import type { Document } from '../documents/document-store';
import type { EventLog } from '../event-log/event-log';
import { DomainError } from '../kernel/errors';
import type { DomainEvent, Position, Recorded } from '../kernel/event';
import { BEFORE_FIRST_POSITION, decode } from '../kernel/event';
import { agentStream, runStream } from '../kernel/streams';
import type { Feed } from '../processing/feed';
import type { Projection } from '../processing/projection';
import { runsProjection } from '../runs/projections/runs.projection';
import type { RunView } from '../runs/run.view';
import { runView } from '../runs/run.view';
import { wakeupsProjection } from '../wakeups/projections/wakeups.projection';

/** Up to where the log is folded: a position, or the last event before the first one that is later than a time. */
export interface Moment {
  position: Position | null;
  /** ISO 8601, UTC. */
  at: string | null;
}

/** A state, and the last event that is in it. */
export interface StateAsOf<State> {
  state: State;
  position: string;
  at: string;
}

/** Folds what the log says of one thing with the projections that make the read models: what `GET` answered then. */
export class AsOf {
  constructor(
    private readonly log: EventLog,
    private readonly feed: Feed,
  ) {}

  /** @throws DomainError `agent_not_found` where it was not registered yet */
  async agent(
    address: AgentAddress,
    moment: Moment,
  ): Promise<StateAsOf<{ agent: AgentView; runtimeState: RuntimeStateView }>> {
    const { agentId } = address;
    const { events, last } = await this.agentEvents(address, moment, null);
    const document = fold(agentsProjection, events, agentId);
    if (!document || !last) throw new DomainError('agent_not_found');
    const then = new Date(moment.at ?? last.metadata.at);
    const runtimeState =
      fold(runtimeStatesProjection, events, agentId) ?? neverRan({ ...address, taskKey: null });
    return { state: { agent: agentView(document, then), runtimeState }, ...placeOf(last) };
  }

  /** @throws DomainError `run_not_found` where it was not queued yet */
  async run(address: AgentAddress & { runId: string }, moment: Moment): Promise<StateAsOf<RunView>> {
    const { events, last } = await this.agentEvents(address, moment, address.runId);
    const document = fold(runsProjection, events, address.runId);
    if (!document || !last || document.status === 'reserved') throw new DomainError('run_not_found');
    const wakeups = foldAll(wakeupsProjection, events);
    return { state: runView(document, wakeups), ...placeOf(last) };
  }

  /** What a company has spent, from its beginning. Reads the whole log up to the moment. */
  async spend(
    companyId: string,
    moment: Moment,
    groupBy: Grouping,
  ): Promise<StateAsOf<{ items: CostGroup[]; totalMicros: number }>> {
    const head = await this.log.head();
    const groups = new CostGroups(groupBy);
    const unpriced = new Set<string>();
    let last: Recorded | null = null;
    const ended = new AbortController();
    reading: for await (const { events } of this.feed.range(
      BEFORE_FIRST_POSITION,
      moment.position ?? head,
      ended.signal,
    )) {
      for (const recorded of events) {
        if (recorded.metadata.companyId !== companyId) continue;
        if (isLater(recorded, moment)) break reading;
        last = recorded;
        const entry = foldOne(costEntriesProjection, recorded);
        if (!entry) continue;
        groups.add(entry);
        if (entry.costSource === 'unpriced') unpriced.add(entry.runId);
        // A result that says the cost makes up for what was booked without one.
        else if (recorded.event.type === 'RunFinished' && entry.costSource === 'reported')
          unpriced.delete(entry.runId);
      }
    }
    ended.abort();
    if (!last) throw new DomainError('company_not_found');
    return { state: groups.close(unpriced), ...placeOf(last) };
  }

  /**
   * Of the agent's stream and of those of its runs, in the order of the log.
   *
   * @param runId only this run's; null: all
   */
  private async agentEvents({ companyId, agentId }: AgentAddress, moment: Moment, runId: string | null) {
    const { events, next } = await this.beginning(agentStream(companyId, agentId), moment, null);
    const runIds = new Set(
      events.flatMap(({ event }) =>
        event.type === 'RunStarted' && (runId === null || event.data.runId === runId)
          ? [event.data.runId]
          : [],
      ),
    );
    const all: Recorded[] = events;
    for (const id of runIds)
      all.push(...(await this.beginning(runStream(companyId, id), moment, next)).events);
    all.sort((a, b) => (a.position < b.position ? -1 : 1));
    return { events: all, last: all.at(-1) };
  }

  /** @param before the position of the first event of another stream that is not in it any more */
  private async beginning(stream: string, moment: Moment, before: Position | null) {
    const events: Recorded<AgentEvent>[] = [];
    for await (const stored of this.log.read(stream)) {
      const recorded = decode<AgentEvent>(stored);
      const isOut = isLater(recorded, moment) || (before !== null && recorded.position > before);
      if (isOut) return { events, next: recorded.position };
      events.push(recorded);
    }
    return { events, next: null };
  }
}

function isLater({ position, metadata }: Recorded, moment: Moment): boolean {
  if (moment.position !== null && position > moment.position) return true;
  return moment.at !== null && metadata.at > moment.at;
}

function placeOf({ position, metadata }: Recorded): { position: string; at: string } {
  return { position: `${position}`, at: metadata.at };
}

function fold<D extends Document, E extends DomainEvent>(
  projection: Projection<D, E>,
  events: readonly Recorded[],
  id: string,
): D | null {
  return foldAll(projection, events).get(id) ?? null;
}

/** What a projection makes of the events, by id. */
function foldAll<D extends Document, E extends DomainEvent>(
  projection: Projection<D, E>,
  events: readonly Recorded[],
): Map<string, D> {
  const documents = new Map<string, D>();
  for (const recorded of events as Recorded<E>[]) {
    const id = projection.handles.includes(recorded.event.type) ? projection.id(recorded) : null;
    if (id === null) continue;
    const document = projection.evolve(documents.get(id) ?? null, recorded);
    if (document) documents.set(id, document);
    else documents.delete(id);
  }
  return documents;
}

function foldOne<D extends Document, E extends DomainEvent>(
  projection: Projection<D, E>,
  recorded: Recorded,
): D | null {
  return [...foldAll(projection, [recorded]).values()][0] ?? null;
}
