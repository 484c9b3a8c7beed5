import type { Recorded } from '../kernel/event';

/** Where an event stands, for whoever has to look at it. Not what it says, which is nobody's business in a log file. */
export interface EventPlace {
  type: string;
  position: string;
  stream: string;
  revision: number;
}

/** Where to look for it. */
export function placeOf({ stream, revision, position, event }: Recorded): EventPlace {
  return { type: event.type, position: `${position}`, stream, revision };
}

/** Something is wrong with an event or with our own code: trying again would not help. Names the event. */
export class ConsumerFault extends Error {
  readonly at: EventPlace;

  /** @param consumer what stops, as in `projection runs` */
  constructor(consumer: string, recorded: Recorded, cause: unknown) {
    const { type, position, stream, revision } = placeOf(recorded);
    super(`${consumer} stopped at ${type} at position ${position} (${stream}, revision ${revision})`, {
      cause,
    });
    this.name = 'ConsumerFault';
    this.at = placeOf(recorded);
  }
}

/** @throws Error at an event that a newer Reveille has written */
export function assertReadable({ unreadable }: Recorded): void {
  if (unreadable !== undefined) throw new Error(unreadable);
}

/** An error and what has caused it, in one line. */
export function explanation(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${explanation(error.cause)}`;
}
