import type { Actor, Recorded } from './event';

/** Why a command is given: kept in the metadata of the events that it leads to. */
export interface Cause {
  actor: Actor;
  /** The event that led to the command; none for a request from outside. */
  event?: Pick<Recorded, 'id' | 'metadata'>;
  /** Where no event led to it: the id of the request, or of the chain, that the command is part of. */
  correlationId?: string;
}

/** The beginning of the chain of causes; undefined where it is the command itself. */
export function correlationOf({ event, correlationId }: Cause): string | undefined {
  return event?.metadata.correlationId ?? correlationId;
}
