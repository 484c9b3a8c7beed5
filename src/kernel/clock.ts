/** Where time comes from. Pure code gets it in commands; everything else is handed a clock. */
export interface Clock {
  now(): Date;
}

/** A clock that can be set, and goes on from there: for tests, where the server was started for them. */
export class TestClock implements Clock {
  private offsetMs = 0;

  now(): Date {
    return new Date(Date.now() + this.offsetMs);
  }

  set(now: Date): void {
    this.offsetMs = now.getTime() - Date.now();
  }
}

export const systemClock: Clock = { now: () => new Date() };
