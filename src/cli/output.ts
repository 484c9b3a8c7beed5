import { once } from 'node:events';
import type { Column } from './table';
import { detailLines, tableLines } from './table';
import { TerminalText } from './terminal-text';

/** Standard output is the answer; everything that is only said about it goes to standard error. */
export function printLines(lines: readonly string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}

export function printDetails(details: Readonly<Record<string, string | null>>): void {
  printLines(detailLines(details));
}

export function printTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): void {
  printLines(tableLines(columns, rows));
}

export function printJson(value: unknown): void {
  printLines([JSON.stringify(value, null, 2)]);
}

export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/**
 * Writes what an agent has written, no faster than it is read: byte for byte, but on a terminal without what a terminal
 * would obey.
 */
export async function printOutput(pieces: AsyncIterable<Uint8Array>): Promise<void> {
  const terminal = process.stdout.isTTY ? new TerminalText() : null;
  for await (const bytes of pieces) await write(terminal?.push(bytes) ?? bytes);
  if (terminal) await write(terminal.flush());
}

async function write(bytes: Uint8Array): Promise<void> {
  if (!process.stdout.write(bytes)) await once(process.stdout, 'drain');
}
