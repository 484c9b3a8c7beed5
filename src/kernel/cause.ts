import type { Actor, Recorded } from './event';

/** Why a command is given: kept in the metadata of the events that it leads to. */
export interface Cause {
  actor: Actor;
  /** The event that led to the command; none for a request from outside. */
  event?: Pick<Recorded, 'id' | 'metadata'>;
  /** The id of the request that the command is part of, where no event led to it. */
  requestId?: string;
}

/** The beginning of the chain of causes; undefined where it is the command itself. */
export function correlationOf({ event, requestId }: Cause): string | undefined {
  return event?.metadata.correlationId ?? requestId;
}
