import { orAborted } from '../kernel/pause';

/** Lets one piece of work happen after the other, in the order in which they came. */
export class Turns {
  private last: Promise<unknown> = Promise.resolve();

  /** @param signal ends the waiting for the turn, with its reason; not the work */
  take<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const before = this.last;
    const done = (signal ? orAborted(before, signal) : before).then(work);
    const settled = done.catch(() => undefined);
    // Who does not wait any more lets nobody else come before those that were there.
    this.last = before.then(() => settled);
    return done;
  }
}
