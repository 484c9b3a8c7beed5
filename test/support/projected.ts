import type { DomainEvent, Recorded } from '../../src/kernel/event';
import type { Projection } from '../../src/processing/projection';
import { someMetadata } from './events';

/** Events as the log gives them back: one stream, positions 1, 2, 3 …, all at the same time where none is told. */
export function recordAll<E extends DomainEvent>(
  events: readonly E[],
  { at = '2025-11-23T10:00:00.000Z', firstPosition = 1 } = {},
): Recorded<E>[] {
  return events.map((event, index) => ({
    event,
    id: `event-${firstPosition + index}`,
    stream: 'agent-company-1.agent-1',
    revision: firstPosition + index - 1,
    position: BigInt(firstPosition + index),
    metadata: someMetadata({ at, companyId: 'company-1' }),
  }));
}

/** The documents that a projection makes of events, by id. */
export function projected<D extends object, E extends DomainEvent>(
  projection: Projection<D, E>,
  events: readonly Recorded[],
): Map<string, D> {
  const documents = new Map<string, D>();
  for (const recorded of events as readonly Recorded<E>[]) {
    if (!projection.handles.includes(recorded.event.type)) continue;
    const id = projection.id(recorded);
    if (id === null) continue;
    const next = projection.evolve(documents.get(id) ?? null, recorded);
    // As a store does, which keeps JSON.
    if (next) documents.set(id, JSON.parse(JSON.stringify(next)) as D);
    else documents.delete(id);
  }
  return documents;
}
