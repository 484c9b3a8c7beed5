/**
 * What an event is, before it is on the log (`EventToAppend`), as the log keeps it (`StoredEvent`) and as the domain
 * reads it (`Recorded`).
 */

/** Place of an event in the whole log. Starts above 0, grows, has gaps. A decimal string outside the process. */
export type Position = bigint;

/** Place of an event in its stream: 0, 1, 2 … without gaps. */
export type Revision = number;

/** The revision a stream must be at for an append to be taken; `NO_STREAM` for one that must not exist yet. */
export const NO_STREAM: Revision = -1;

export const BEFORE_FIRST_POSITION: Position = 0n;

export interface Actor {
  type: 'user' | 'agent' | 'system' | 'node';
  id: string | null;
}

/** Travels with every event, beside its data. */
export interface EventMetadata {
  /** Version of the shape of `data`, for upcasters. */
  schemaVersion: number;
  /** When the decision was made, ISO 8601 UTC with milliseconds. A store's own clock is never read. */
  at: string;
  companyId: string;
  /** The id of the command that started the whole chain of causes. */
  correlationId: string;
  /** The id of the event or command that caused this one; null at the start of a chain. */
  causationId: string | null;
  commandId: string;
  actor: Actor;
  nodeId: string;
  /** SHA-256 (hex) over the previous event's hash and this event, see `chain.ts`. */
  hash: string;
}

/** A domain event: a literal past-tense type and its data. */
export interface DomainEvent<Type extends string = string, Data = unknown> {
  readonly type: Type;
  readonly data: Data;
}

/** An event ready for the log. `data` is JSON text, or raw bytes where the event is binary (log chunks). */
export interface EventToAppend {
  /** A UUID derived from what the event is, so that the same append can be sent twice. */
  id: string;
  type: string;
  data: string | Uint8Array;
  metadata: EventMetadata;
}

/** An event as the log gives it back: the same bytes, and where they stand. */
export interface StoredEvent extends EventToAppend {
  stream: string;
  revision: Revision;
  position: Position;
  /** Why its data cannot be read: a newer Reveille has written it. Not there on any other. */
  unreadable?: string;
  /** Why readers may miss it: what its store keeps beside it, to find it by, says something else. Not there on any other. */
  misfiled?: string;
}

/** A JSON event with its data parsed. */
export interface Recorded<E extends DomainEvent = DomainEvent> {
  readonly event: E;
  readonly id: string;
  readonly stream: string;
  readonly revision: Revision;
  readonly position: Position;
  readonly metadata: EventMetadata;
  /** As of the stored event: to look at the data throws this. */
  readonly unreadable?: string;
}

/**
 * A stored JSON event to work with. Its data is parsed when somebody looks at it first: most readers of the log pass
 * over most events. Throws on a binary one: those have readers of their own.
 */
export function decode<E extends DomainEvent>(stored: StoredEvent): Recorded<E> {
  const { type, data, id, stream, revision, position, metadata, unreadable } = stored;
  if (typeof data !== 'string') throw new Error(`event ${id} (${type}) of ${stream} is binary`);
  const event = new LazyEvent(type, data, unreadable) as DomainEvent as E;
  const recorded = { event, id, stream, revision, position, metadata };
  return unreadable === undefined ? recorded : { ...recorded, unreadable };
}

/** A class: an object that is written down with a getter costs ten times as much, and each event has one. */
class LazyEvent implements DomainEvent {
  readonly type: string;
  readonly #text: string;
  readonly #unreadable: string | undefined;
  #parsed: unknown;
  #isParsed = false;

  constructor(type: string, text: string, unreadable: string | undefined) {
    this.type = type;
    this.#text = text;
    this.#unreadable = unreadable;
  }

  get data(): unknown {
    if (this.#unreadable !== undefined) throw new Error(this.#unreadable);
    if (!this.#isParsed) {
      this.#parsed = JSON.parse(this.#text) as unknown;
      this.#isParsed = true;
    }
    return this.#parsed;
  }
}
