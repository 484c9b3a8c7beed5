import { setTimeout as sleep } from 'node:timers/promises';
import type { EventLog, FollowOptions, ReadOptions } from '../../src/event-log/event-log';
import type { EventToAppend, Position, Revision, StoredEvent } from '../../src/kernel/event';
import { NO_STREAM } from '../../src/kernel/event';
import { uuidv7 } from '../../src/kernel/ids';
import { agentStream, runLogStream, runStream } from '../../src/kernel/streams';
import { someEvent, someEvents } from '../support/events';

export const newAgentStream = () => agentStream(uuidv7(), uuidv7());
export const newRunStream = () => runStream(uuidv7(), uuidv7());
export const newRunLogStream = () => runLogStream(uuidv7(), uuidv7());

export interface Written {
  stream: string;
  event: EventToAppend;
  position: Position;
}

/** Appends to a new stream, one append an event, so that several calls at once mix their events. */
export async function writeOneByOne(log: EventLog, stream: string, count: number): Promise<Written[]> {
  const written: Written[] = [];
  for (let expected = NO_STREAM; written.length < count; expected++) {
    const event = someEvent();
    const { position } = await log.append(stream, [event], expected);
    written.push({ stream, event, position });
  }
  return written;
}

/** Appends to a stream at once. */
export async function write(
  log: EventLog,
  stream: string,
  events: readonly EventToAppend[] = someEvents(1),
  expected: Revision = NO_STREAM,
): Promise<Written[]> {
  const positions = await (await log.append(stream, events, expected)).positions();
  return events.map((event, index) => ({ stream, event, position: positions[index]! }));
}

export function byPosition(written: readonly Written[]): Written[] {
  return [...written].sort((a, b) => (a.position < b.position ? -1 : 1));
}

export async function readAll(log: EventLog, stream: string, options?: ReadOptions): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  for await (const event of log.read(stream, options)) events.push(event);
  return events;
}

export async function revisionsOf(log: EventLog, stream: string, options?: ReadOptions): Promise<Revision[]> {
  return (await readAll(log, stream, options)).map(({ revision }) => revision);
}

export interface Followed {
  events: StoredEvent[];
  /** One a batch. */
  reached: Position[];
}

/**
 * Follows until a position is reached, which may become known only later. Events of other streams are left out, because
 * the log may be shared.
 *
 * @param pauseMs how long the follower takes over each batch
 */
export async function followUntil(
  log: EventLog,
  options: Omit<FollowOptions, 'signal'>,
  end: Position | Promise<Position>,
  ofStreams: ReadonlySet<string>,
  pauseMs = 0,
): Promise<Followed> {
  const enough = new AbortController();
  const followed: Followed = { events: [], reached: [] };
  let until: Position | undefined;
  const stopWhenReached = () => {
    if (until !== undefined && (followed.reached.at(-1) ?? options.after) >= until) enough.abort();
  };
  const ending = Promise.resolve(end).then(
    (position) => {
      until = position;
      stopWhenReached();
    },
    (error: unknown) => {
      enough.abort();
      throw error;
    },
  );
  for await (const { events, reached } of log.follow({ ...options, signal: enough.signal })) {
    followed.events.push(...events.filter(({ stream }) => ofStreams.has(stream)));
    followed.reached.push(reached);
    if (pauseMs > 0) await sleep(pauseMs);
    stopWhenReached();
  }
  await ending;
  return followed;
}

/** Where each event stands and which it is: enough to see a gap, a repeat or a wrong order. */
export function placesOf(events: readonly StoredEvent[]): string[] {
  return events.map(({ stream, id, position }) => `${position} ${stream} ${id}`);
}

/** The same of what was written, in the order of the log. */
export function writtenPlaces(written: readonly Written[]): string[] {
  return byPosition(written).map(({ stream, event, position }) => `${position} ${stream} ${event.id}`);
}

export function lastPosition(written: readonly Written[]): Position {
  return byPosition(written).at(-1)!.position;
}
