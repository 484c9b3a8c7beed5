import { CHAIN_START } from '../kernel/chain';
import type { Decider } from '../kernel/decider';
import { DomainError } from '../kernel/errors';
import type { Actor, DomainEvent, EventToAppend, Position, Recorded, Revision } from '../kernel/event';
import { decode } from '../kernel/event';
import type { ShapesOf } from '../kernel/event-shape';
import { derivedUuid } from '../kernel/ids';
import { appendSurely } from './append-surely';
import type { Appended, EventLog } from './event-log';
import { LogUnavailable, RevisionConflict } from './event-log';
import type { UnsealedEvent } from './seal';
import { seal } from './seal';

/** Where a command comes from, kept in the metadata of its events. */
export interface CommandContext {
  commandId: string;
  companyId: string;
  actor: Actor;
  /** The first command of the chain of causes; by default this one. */
  correlationId?: string;
  /** The event that led to this command. */
  causationId?: string | null;
}

export interface Executed<Event extends DomainEvent, Answer> {
  /**
   * What the command caused; empty where the state already showed its effect. What was appended at once is seen at once,
   * so an event may have the position of the command's last one.
   */
  events: readonly Recorded<Event>[];
  /** Position of the command's last event; null where there is none. */
  position: Position | null;
  answer: Answer;
}

/** A cached fold is bounded by the decider, so this many of them are bounded too. */
const MAX_CACHED = 20_000;
/** So long a command may have waited for those before it. */
const LONGEST_WAIT_MS = 10_000;
/** How many waiting commands are folded into one append. */
const MAX_FOLDED_COMMANDS = 64;
/** Where folding stops, so that an append stays under the smallest limit of a backend (1 MiB). */
const MAX_FOLDED_BYTES = 512 * 1024;

/**
 * Load → decide → append → retry on conflict, for the streams of one kind of aggregate. Commands to one stream wait
 * for each other, and those that wait together are folded into one append.
 */
export class AggregateStore<State extends { revision: Revision }, Command, Event extends DomainEvent> {
  private readonly mailboxes = new Map<string, Mailbox<State, Command, Event>>();
  private readonly cache = new Map<string, Loaded<State>>();

  constructor(
    private readonly log: EventLog,
    private readonly decider: Decider<State, Command & { at: string }, Event>,
    private readonly options: { shapes: ShapesOf<Event>; nodeId: string },
  ) {}

  /**
   * @param answer is called with the state right after the command's own events; it must copy what it wants to keep
   * @throws DomainError where the command is refused, `log_unavailable` where its fate is unknown
   */
  execute<Answer>(
    stream: string,
    command: Command & { at: string },
    context: CommandContext,
    answer: (state: State) => Answer,
  ): Promise<Executed<Event, Answer>> {
    return this.enqueue(stream, { command, context }, answer);
  }

  /** Looks at the state as the log has it now. `look` must copy what it wants to keep. */
  async inspect<Answer>(stream: string, look: (state: State) => Answer): Promise<Answer> {
    const { answer } = await this.enqueue(stream, null, look);
    return answer;
  }

  private enqueue<Answer>(
    stream: string,
    told: Told<Command> | null,
    answer: (state: State) => Answer,
  ): Promise<Executed<Event, Answer>> {
    return new Promise((resolve, reject) => {
      const item = { told, answer, resolve, reject } as Item<State, Command, Event>;
      const mailbox = this.mailboxes.get(stream);
      if (mailbox) {
        mailbox.push(item);
      } else {
        this.mailboxes.set(stream, [item]);
        void this.drain(stream);
      }
    });
  }

  private async drain(stream: string): Promise<void> {
    const mailbox = this.mailboxes.get(stream)!;
    while (mailbox.length > 0) {
      const batch = mailbox.splice(0, MAX_FOLDED_COMMANDS);
      try {
        mailbox.unshift(...(await this.executeBatch(stream, batch)));
      } catch (error) {
        this.cache.delete(stream);
        const reason = refusalOf(error);
        for (const item of batch) item.reject(reason);
      }
    }
    this.mailboxes.delete(stream);
  }

  /** Answers the items that did not fit into the append. */
  private async executeBatch(stream: string, batch: Item<State, Command, Event>[]) {
    for (;;) {
      const loaded = await this.load(stream);
      const expected = loaded.state.revision;
      const round = this.decideAll(stream, loaded, batch);
      if (round.sealed.length === 0) {
        // Nothing was appended, so nothing has proved that the cached state is the newest.
        if (await this.foldNew(stream, loaded)) continue;
        settle(round.outcomes, [], stream);
        return batch.slice(round.outcomes.length);
      }
      try {
        const appended = await appendSurely(this.log, stream, round.sealed, expected);
        const positions = await positionsIn(round, appended);
        settle(round.outcomes, recordedFrom(round, stream, expected, positions), stream);
        return batch.slice(round.outcomes.length);
      } catch (error) {
        this.cache.delete(stream);
        if (!(error instanceof RevisionConflict)) throw error;
      }
    }
  }

  /** Decides one command after the other, each on the state that the ones before it left, until the append is full. */
  private decideAll(stream: string, loaded: Loaded<State>, batch: readonly Item<State, Command, Event>[]) {
    const round: Round<State, Command, Event> = { events: [], sealed: [], outcomes: [] };
    let bytes = 0;
    for (const item of batch) {
      try {
        const told = item.told && notBefore(loaded.lastAt, item.told);
        const events = told ? this.decider.decide(told.command, loaded.state) : [];
        const sealed = this.sealAll(stream, loaded, events, told);
        bytes += sealed.reduce((sum, { data }) => sum + Buffer.byteLength(data), 0);
        if (bytes > MAX_FOLDED_BYTES && round.sealed.length > 0) break;
        for (const event of events) loaded.state = this.decider.evolve(loaded.state, event);
        loaded.lastHash = sealed.at(-1)?.metadata.hash ?? loaded.lastHash;
        loaded.lastAt = sealed.at(-1)?.metadata.at ?? loaded.lastAt;
        const first = round.events.length;
        round.events.push(...events);
        round.sealed.push(...sealed);
        round.outcomes.push({ item, first, count: events.length, answer: item.answer(loaded.state) });
      } catch (error) {
        if (!(error instanceof DomainError)) throw error;
        round.outcomes.push({ item, first: 0, count: 0, refusal: error });
      }
    }
    return round;
  }

  private sealAll(
    stream: string,
    loaded: Loaded<State>,
    events: readonly Event[],
    told: Told<Command> | null,
  ): EventToAppend[] {
    if (!told || events.length === 0) return [];
    const { command, context } = told;
    const ids = events.map((event, index) =>
      derivedUuid(stream, loaded.state.revision + 1 + index, context.commandId, event.type),
    );
    const unsealed = events.map((event, index): UnsealedEvent => ({
      id: ids[index]!,
      type: event.type,
      data: event.data as object,
      metadata: {
        schemaVersion: this.options.shapes[event.type as Event['type']].version,
        at: command.at,
        companyId: context.companyId,
        correlationId: context.correlationId ?? context.commandId,
        causationId: index === 0 ? (context.causationId ?? null) : ids[0]!,
        commandId: context.commandId,
        actor: context.actor,
        nodeId: this.options.nodeId,
      },
    }));
    return seal(unsealed, loaded.lastHash);
  }

  private async load(stream: string): Promise<Loaded<State>> {
    const cached = this.cache.get(stream);
    if (cached) {
      this.cache.delete(stream);
      this.cache.set(stream, cached);
      return cached;
    }
    const loaded: Loaded<State> = { state: this.decider.initial(), lastHash: CHAIN_START, lastAt: '' };
    await this.foldNew(stream, loaded);
    this.cache.set(stream, loaded);
    if (this.cache.size > MAX_CACHED) {
      const [oldest] = this.cache.keys();
      this.cache.delete(oldest!);
    }
    return loaded;
  }

  /** Folds what is on the log after the loaded revision; answers whether there was anything. */
  private async foldNew(stream: string, loaded: Loaded<State>): Promise<boolean> {
    const before = loaded.state.revision;
    for await (const stored of this.log.read(stream, { from: before + 1 })) {
      loaded.state = this.decider.evolve(loaded.state, decode<Event>(stored).event);
      loaded.lastHash = stored.metadata.hash;
      loaded.lastAt = stored.metadata.at;
    }
    return loaded.state.revision !== before;
  }
}

interface Loaded<State> {
  state: State;
  lastHash: string;
  /** `at` of the last event. */
  lastAt: string;
}

interface Told<Command> {
  command: Command & { at: string };
  context: CommandContext;
}

/**
 * A command that has waited for the one before it is decided after that, so its time is not an earlier one: no run
 * begins before the one ended that it waited for. Clocks that differ by more than a moment are left as they are.
 */
function notBefore<Command>(lastAt: string, told: Told<Command>): Told<Command> {
  const { at } = told.command;
  if (at >= lastAt || Date.parse(lastAt) - Date.parse(at) > LONGEST_WAIT_MS) return told;
  return { ...told, command: { ...told.command, at: lastAt } };
}

interface Item<State, Command, Event extends DomainEvent> {
  /** null: somebody only wants to look. */
  told: Told<Command> | null;
  answer: (state: State) => unknown;
  resolve: (executed: Executed<Event, unknown>) => void;
  reject: (error: unknown) => void;
}

type Mailbox<State, Command, Event extends DomainEvent> = Item<State, Command, Event>[];

interface Round<State, Command, Event extends DomainEvent> {
  events: Event[];
  sealed: EventToAppend[];
  /** One for each item that was decided; the rest did not fit. */
  outcomes: Outcome<State, Command, Event>[];
}

interface Outcome<State, Command, Event extends DomainEvent> {
  item: Item<State, Command, Event>;
  /** Index of the command's first event in the append, and how many it has. */
  first: number;
  count: number;
  answer?: unknown;
  refusal?: DomainError;
}

/** A log that could not be read is as far away as one that could not be written. */
function refusalOf(error: unknown): unknown {
  if (!(error instanceof LogUnavailable)) return error;
  return new DomainError('log_unavailable', error.message, {}, { cause: error });
}

/**
 * Of what one command has caused, only the last position is answered. Those of several have to be told apart, which may
 * take the log a read; where that fails, what has been written is still not a failure, and all are seen by the last one.
 */
async function positionsIn(
  { sealed, outcomes }: { sealed: readonly EventToAppend[]; outcomes: readonly { count: number }[] },
  appended: Appended,
): Promise<readonly Position[]> {
  const isOfOne = outcomes.filter(({ count }) => count > 0).length === 1;
  const last = sealed.map(() => appended.position);
  return isOfOne ? last : appended.positions().catch(() => last);
}

function recordedFrom<Event extends DomainEvent>(
  round: { events: readonly Event[]; sealed: readonly EventToAppend[] },
  stream: string,
  expected: Revision,
  positions: readonly Position[],
): Recorded<Event>[] {
  return round.sealed.map(({ id, metadata }, index) => ({
    event: round.events[index]!,
    id,
    stream,
    revision: expected + 1 + index,
    position: positions[index]!,
    metadata,
  }));
}

function settle<State, Command, Event extends DomainEvent>(
  outcomes: readonly Outcome<State, Command, Event>[],
  recorded: readonly Recorded<Event>[],
  stream: string,
): void {
  for (const { item, first, count, answer, refusal } of outcomes) {
    if (refusal) {
      item.reject(refusal);
      continue;
    }
    const events = recorded.slice(first, first + count);
    if (events.length !== count)
      throw new Error(`events of a command are missing from an append to ${stream}`);
    item.resolve({ events, position: events.at(-1)?.position ?? null, answer });
  }
}
