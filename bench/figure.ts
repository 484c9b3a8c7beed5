/** One measured number, with what proves it and what it can be compared with. */
export interface Figure {
  name: string;
  value: number;
  unit: string;
  /** What it is to reach, where something is asked of it. */
  target?: { atLeast: number } | { atMost: number };
  /** What was counted or hashed to see that the work was really done. */
  check: string;
}

/** What the machine itself gave in the same run, without any of the program. */
export interface Baseline {
  name: string;
  value: number;
  unit: string;
}

export interface ScenarioReport {
  scenario: string;
  figures: Figure[];
  baselines: Baseline[];
}

export function isReached({ value, target }: Figure): boolean | null {
  if (!target) return null;
  return 'atLeast' in target ? value >= target.atLeast : value <= target.atMost;
}

/** The value below which a share of the samples lies; 0.5 is the median. Sorts in place. */
export function quantile(samples: Float64Array | number[], share: number): number {
  if (samples.length === 0) throw new Error('no samples');
  samples.sort((a: number, b: number) => a - b);
  return samples[Math.min(samples.length - 1, Math.floor(samples.length * share))]!;
}

/** @throws Error where a count or hash is not what it has to be: then no figure of the scenario means anything */
export function assertSame<T>(what: string, found: T, expected: T): void {
  if (found !== expected) throw new Error(`${what}: found ${String(found)}, expected ${String(expected)}`);
}
