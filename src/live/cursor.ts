import type { Position } from '../kernel/event';

/**
 * The place of a message: that of its event, and where one event gives several messages its number among them, counted
 * from 1. `part` null stands behind all messages of the event.
 */
export interface Cursor {
  readonly position: Position;
  readonly part: number | null;
}

export const CURSOR = /^(\d{1,19})(?:\.([1-9]\d{0,2}))?$/;

/** @param text of the form that `CURSOR` tells */
export function parseCursor(text: string): Cursor {
  const [, position, part] = CURSOR.exec(text) ?? [];
  if (position === undefined) throw new Error(`not a cursor: ${text}`);
  return { position: BigInt(position), part: part === undefined ? null : Number(part) };
}

export function formatCursor({ position, part }: Cursor): string {
  return part === null ? `${position}` : `${position}.${part}`;
}

export function isAfter(cursor: Cursor, other: Cursor): boolean {
  if (cursor.position !== other.position) return cursor.position > other.position;
  return (cursor.part ?? Infinity) > (other.part ?? Infinity);
}

/** Where the log is followed from for what comes after the cursor: within an event, that comes once more. */
export function placeOf({ position, part }: Cursor): { after: Position; inclusive: boolean } {
  return { after: position, inclusive: part !== null };
}

/** Up to where the log need not be read for what comes after the cursor. */
export function handledBefore({ position, part }: Cursor): Position {
  return part === null ? position : position - 1n;
}
