import { printable } from './text';

export interface Column<Row> {
  title: string;
  of: (row: Row) => string;
  /** Numbers stand under each other's last digit. */
  alignsRight?: boolean;
}

/** Lines of aligned columns, two spaces apart, under their titles. */
export function tableLines<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string[] {
  const cells = rows.map((row) => columns.map(({ of }) => printable(of(row))));
  const lines = [columns.map(({ title }) => title), ...cells];
  const widths = columns.map((_column, index) => Math.max(...lines.map((line) => widthOf(line[index]!))));
  return lines.map((line) =>
    line
      .map((cell, index) => {
        const gap = ' '.repeat(widths[index]! - widthOf(cell));
        return columns[index]!.alignsRight ? gap + cell : cell + gap;
      })
      .join('  ')
      .trimEnd(),
  );
}

/** `name  value`, one a line; what is null is left out. */
export function detailLines(details: Readonly<Record<string, string | null>>): string[] {
  const present = Object.entries(details).filter((entry): entry is [string, string] => entry[1] !== null);
  const width = Math.max(...present.map(([name]) => widthOf(name)));
  return present.map(([name, value]) => `${name.padEnd(width)}  ${printable(value)}`);
}

function widthOf(text: string): number {
  return [...text].length;
}
