import type { ScenarioReport } from './figure';
import { isReached } from './figure';

/** For people: one line a figure, under it what the machine gave in the same run. */
export function table(machine: object, reports: readonly ScenarioReport[]): string {
  const rows: string[][] = [['scenario', 'figure', 'value', 'target', '', 'checked by']];
  for (const { scenario, figures, baselines } of reports) {
    for (const figure of figures) {
      const reached = isReached(figure);
      const mark = reached === null ? '' : reached ? 'ok' : 'MISSED';
      rows.push([scenario, figure.name, amount(figure), targetOf(figure), mark, figure.check]);
    }
    for (const baseline of baselines) {
      rows.push([scenario, `(baseline) ${baseline.name}`, amount(baseline), '', '', '']);
    }
  }
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
  return `${JSON.stringify(machine)}\n\n${lines.join('\n')}\n`;
}

function amount({ value, unit }: { value: number; unit: string }): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${unit}`;
}

function targetOf({ target, unit }: ScenarioReport['figures'][number]): string {
  if (!target) return '';
  return 'atLeast' in target ? `≥ ${target.atLeast} ${unit}` : `≤ ${target.atMost} ${unit}`;
}
