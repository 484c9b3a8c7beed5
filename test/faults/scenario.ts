import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Dice } from '../support/dice';
import type { Verdicts } from './verdicts';

/** What a scenario works with. */
export interface FaultRun {
  /** How many rounds of the mixed load were asked for: the others are as thorough as befits that. */
  rounds: number;
  /** A folder of its own, kept where something is lost. */
  folder: string;
  dice: Dice;
  verdicts: Verdicts;
  /** How often each kind of fault was done. */
  faults: Map<string, number>;
  say(line: string): void;
}

export function count(faults: Map<string, number>, kind: string): void {
  faults.set(kind, (faults.get(kind) ?? 0) + 1);
}

export function subfolder(folder: string, name: string): string {
  const path = join(folder, name);
  mkdirSync(path, { recursive: true });
  return path;
}
