import type { StoredEvent } from '../kernel/event';
import type { EventShapes } from '../kernel/event-shape';
import { upcast } from '../kernel/event-shape';
import type { EventLog, FollowBatch } from './event-log';

/**
 * The log as today's code reads it: the data of older events in the form of today; events of a newer Reveille are
 * marked as unreadable, for each reader to stop at. What is written, hashes included, stays as it is.
 */
export function inCurrentShape(log: EventLog, shapes: EventShapes): EventLog {
  const shaped = (events: readonly StoredEvent[]) =>
    events.every((event) => isCurrent(event, shapes))
      ? events
      : events.map((event) => inShape(event, shapes));
  return {
    append: (...args) => log.append(...args),
    head: () => log.head(),
    setMaxAge: (...args) => log.setMaxAge(...args),
    close: () => log.close(),
    async *read(...args) {
      for await (const event of log.read(...args)) yield inShape(event, shapes);
    },
    async *follow(options) {
      for await (const batch of log.follow(options)) yield withEvents(batch, shaped(batch.events));
    },
  };
}

/** The very same batch where nothing has changed: it is known again by whoever has decoded it. */
function withEvents(batch: FollowBatch, events: readonly StoredEvent[]): FollowBatch {
  return events === batch.events ? batch : { ...batch, events };
}

function isCurrent({ type, metadata }: StoredEvent, shapes: EventShapes): boolean {
  return shapes[type]?.version === metadata.schemaVersion;
}

function inShape(event: StoredEvent, shapes: EventShapes): StoredEvent {
  if (isCurrent(event, shapes)) return event;
  const { type, data, metadata } = event;
  const shape = shapes[type];
  if (!shape) return marked(event, `${type} is no event that this version of Reveille knows`);
  const { version } = shape;
  if (metadata.schemaVersion > version) {
    const known = `this version of Reveille knows version ${version}`;
    return marked(event, `${type} is of version ${metadata.schemaVersion}, and ${known}`);
  }
  try {
    // Raw bytes say in their own header how they are to be read.
    if (typeof data !== 'string') return event;
    const upcasted = JSON.stringify(upcast(JSON.parse(data), metadata.schemaVersion, shape));
    return { ...event, data: upcasted, metadata: { ...metadata, schemaVersion: version } };
  } catch (error) {
    return marked(event, `${type} of version ${metadata.schemaVersion}: ${(error as Error).message}`);
  }
}

function marked(event: StoredEvent, unreadable: string): StoredEvent {
  return { ...event, unreadable };
}
