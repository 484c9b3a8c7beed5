/** How much of what went wrong with one check is told. */
const MAX_TOLD = 10;

interface Verdict {
  checked: number;
  lost: number;
  told: string[];
}

/** What was checked, and what did not hold: each of these is something that was lost. */
export class Verdicts {
  private readonly byName = new Map<string, Verdict>();
  private readonly skipped = new Map<string, string>();

  /** @param problem null where all is well */
  judge(name: string, problem: string | null): void {
    const verdict = this.byName.get(name) ?? { checked: 0, lost: 0, told: [] };
    this.byName.set(name, verdict);
    verdict.checked += 1;
    if (problem === null) return;
    verdict.lost += 1;
    if (verdict.told.length < MAX_TOLD) verdict.told.push(problem);
  }

  expect(name: string, holds: boolean, problem: string): void {
    this.judge(name, holds ? null : problem);
  }

  skip(name: string, reason: string): void {
    this.skipped.set(name, reason);
  }

  get losses(): number {
    return [...this.byName.values()].reduce((sum, { lost }) => sum + lost, 0);
  }

  toJSON() {
    const checks = [...this.byName].map(([name, verdict]) => ({ name, ...verdict }));
    return { checks, skipped: [...this.skipped].map(([name, reason]) => ({ name, reason })) };
  }

  /** One line a check, and below it what was lost. */
  table(): string {
    const lines = [...this.byName].flatMap(([name, { checked, lost, told }]) => [
      `${`${checked}`.padStart(7)} ${`${lost}`.padStart(6)}  ${name}`,
      ...told.map((problem) => `${' '.repeat(16)}- ${problem}`),
    ]);
    const skips = [...this.skipped].map(([name, reason]) => `      -      -  ${name}: skipped, ${reason}`);
    return [' checks losses', ...lines, ...skips].join('\n');
  }

  /** Counts names, not how often each was looked at. */
  closingLine(): string {
    const failed = [...this.byName.values()].filter(({ lost }) => lost > 0).length;
    return `${this.byName.size - failed} passed, ${failed} failed, ${this.skipped.size} skipped`;
  }
}
