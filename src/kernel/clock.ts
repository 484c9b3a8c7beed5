/** Where time comes from. Pure code gets it in commands; everything else is handed a clock. */
export interface Clock {
  now(): Date;
}

export const systemClock: Clock = { now: () => new Date() };
