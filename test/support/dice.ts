/** Repeatable randomness: the same seed throws the same. The generator is mulberry32. */
export class Dice {
  constructor(private state: number) {}

  upTo(limit: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  }

  oneOf<T>(values: readonly T[]): T {
    return values[this.upTo(values.length)]!;
  }

  /** As often as their weights say. */
  weighted<T extends { weight: number }>(values: readonly T[]): T {
    let left = this.upTo(values.reduce((sum, { weight }) => sum + weight, 0));
    return values.find(({ weight }) => (left -= weight) < 0)!;
  }

  /** Dice whose throws do not depend on how often these are thrown meanwhile. */
  fork(): Dice {
    return new Dice(this.upTo(2 ** 32));
  }
}
