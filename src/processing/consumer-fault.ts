import type { Recorded } from '../kernel/event';

/** Where an event stands, for whoever has to look at it. Not what it says, which is nobody's business in a log file. */
export interface EventPlace {
  type: string;
  position: string;
  stream: string;
  revision: number;
}

/** Something is wrong with an event or with our own code: trying again would not help. Names the event. */
export class ConsumerFault extends Error {
  readonly at: EventPlace;

  /** @param consumer what stops, as in `projection runs` */
  constructor(consumer: string, { stream, revision, position, event }: Recorded, cause: unknown) {
    const where = `${event.type} at position ${position} (${stream}, revision ${revision})`;
    super(`${consumer} stopped at ${where}`, { cause });
    this.name = 'ConsumerFault';
    this.at = { type: event.type, position: `${position}`, stream, revision };
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
