import type { AgentAddress } from '../agents/agents.store';
import type { AgentEvent } from '../agents/domain/agent.events';
import type { EventLog } from '../event-log/event-log';
import type { DomainEvent, Recorded } from '../kernel/event';
import { decode } from '../kernel/event';
import { agentStream, runLogStream, runStream } from '../kernel/streams';
import type { Feed } from '../processing/feed';
import type { Role } from './explain';
import { explain, roleOfEvent } from './explain';

/** One step of the story of a run or a wakeup. */
export interface WhyStep {
  role: Role;
  eventId: string;
  type: string;
  stream: string;
  revision: number;
  position: string;
  at: string;
  causationId: string | null;
  correlationId: string;
  runId: string | null;
  wakeupId: string | null;
  /** In one line. */
  text: string;
}

/** What is asked about: a run with its wakeups, or a wakeup that has no run. */
export interface Subject extends AgentAddress {
  runId: string | null;
  wakeupId: string | null;
}

type Mentions = DomainEvent<
  string,
  {
    runId?: string;
    wakeupId?: string;
    retryOfRunId?: string | null;
    inherited?: { wakeupIds: string[] } | null;
  }
>;

/**
 * The chain around a run or a wakeup, in the order of the log: what asked for it, what was decided, the run, its
 * process, usage and cost; what led to it, and what came of it.
 */
export class Why {
  constructor(
    private readonly log: EventLog,
    private readonly feed: Feed,
  ) {}

  async of(subject: Subject, signal: AbortSignal): Promise<WhyStep[]> {
    const agentEvents = await this.all<Mentions>(agentStream(subject.companyId, subject.agentId));
    const own = ownOf(agentEvents, subject);
    const told = [...own, ...(await this.ofRun(subject))];
    const ids = new Set(told.map(({ id }) => id));
    const causes = causesOf(agentEvents, own, ids);
    const consequences = [
      ...consequencesOf(agentEvents, subject, ids),
      ...(await this.askedForMeanwhile(own, subject, ids, signal)),
    ];
    const steps = [
      ...told.map((recorded) => step(recorded, roleOfEvent(recorded.event.type))),
      ...causes.map((recorded) => step(recorded, 'cause')),
      ...consequences.map((recorded) => step(recorded, 'consequence')),
    ];
    return steps.sort((a, b) => (BigInt(a.position) < BigInt(b.position) ? -1 : 1));
  }

  /** The run's own lines, and the end of its output. */
  private async ofRun({ companyId, runId }: Subject): Promise<Recorded[]> {
    if (runId === null) return [];
    const lines = await this.all(runStream(companyId, runId));
    const backwards = { direction: 'backwards', limit: 1 } as const;
    for await (const last of this.log.read(runLogStream(companyId, runId), backwards)) {
      if (last.type === 'LogFinalized') return [...lines, decode(last)];
    }
    return lines;
  }

  /** What the agent asked for while the run went on, of whatever agent: the log between its start and its end is read. */
  private async askedForMeanwhile(
    own: readonly Recorded<Mentions>[],
    { agentId, runId }: Subject,
    known: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<Recorded[]> {
    const start = own.find(({ event }) => event.type === 'RunStarted' && event.data.runId === runId);
    if (!start) return [];
    const end = own.find(({ event }) => event.type === 'RunFinished' && event.data.runId === runId);
    const upTo = end?.position ?? (await this.log.head());
    const found: Recorded[] = [];
    for await (const { events } of this.feed.range(start.position, upTo, signal)) {
      found.push(
        ...(events as Recorded<AgentEvent>[]).filter(
          ({ event, id, metadata: { actor, causationId } }) =>
            event.type === 'WakeupRequested' &&
            !known.has(id) &&
            ((causationId !== null && known.has(causationId)) ||
              (actor.type === 'agent' && (actor.id === agentId || actor.id === runId)) ||
              (event.data.requestedByActorType === 'agent' && event.data.requestedByActorId === agentId)),
        ),
      );
    }
    return found;
  }

  private async all<E extends DomainEvent>(stream: string): Promise<Recorded<E>[]> {
    const events: Recorded<E>[] = [];
    for await (const stored of this.log.read(stream)) events.push(decode<E>(stored));
    return events;
  }
}

/** The events of the agent's stream that are about the run, or the wakeup, themselves. */
function ownOf(events: readonly Recorded<Mentions>[], { runId, wakeupId }: Subject): Recorded<Mentions>[] {
  const wakeups = new Set(wakeupId === null ? [] : [wakeupId]);
  for (const { event } of events) {
    if (runId === null || event.data.runId !== runId) continue;
    if (event.data.wakeupId !== undefined) wakeups.add(event.data.wakeupId);
    for (const id of event.data.inherited?.wakeupIds ?? []) wakeups.add(id);
  }
  return events.filter(({ event: { data } }) => {
    if (data.runId !== undefined && runId !== null) return data.runId === runId;
    return data.wakeupId !== undefined && wakeups.has(data.wakeupId);
  });
}

/** What these were caused by, and what that was caused by, and so on. */
function causesOf(
  events: readonly Recorded<Mentions>[],
  own: readonly Recorded[],
  known: ReadonlySet<string>,
): Recorded[] {
  const byId = new Map(events.map((recorded) => [recorded.id, recorded]));
  const retried = new Set(own.flatMap(({ event }) => (event as Mentions).data.retryOfRunId ?? []));
  const causes = new Map<string, Recorded>();
  const open = own.map(({ metadata }) => metadata.causationId);
  for (const { id, event } of events) {
    if (event.type === 'RunFinished' && retried.has(event.data.runId ?? '')) open.push(id);
  }
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    const cause = id === null ? undefined : byId.get(id);
    if (!cause || known.has(cause.id) || causes.has(cause.id)) continue;
    causes.set(cause.id, cause);
    open.push(cause.metadata.causationId);
  }
  return [...causes.values()];
}

/** What was decided because of these on the same agent: a retry, a wakeup that had waited. */
function consequencesOf(
  events: readonly Recorded<Mentions>[],
  { runId }: Subject,
  known: ReadonlySet<string>,
): Recorded[] {
  return events.filter(
    ({ id, event, metadata }) =>
      !known.has(id) &&
      ((metadata.causationId !== null && known.has(metadata.causationId)) ||
        (runId !== null && event.data.retryOfRunId === runId)),
  );
}

function step(recorded: Recorded, role: Role): WhyStep {
  const { event, id, stream, revision, position, metadata } = recorded as Recorded<Mentions>;
  return {
    role,
    eventId: id,
    type: event.type,
    stream,
    revision,
    position: `${position}`,
    at: metadata.at,
    causationId: metadata.causationId,
    correlationId: metadata.correlationId,
    runId: event.data.runId ?? null,
    wakeupId: event.data.wakeupId ?? null,
    text: explain(recorded),
  };
}
