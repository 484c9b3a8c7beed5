const DAY_MS = 24 * 3_600_000;
const MIDNIGHT = 'T00:00:00.000Z';

/** ISO 8601 UTC with milliseconds; `from` inclusive, `to` exclusive, null: without an end. */
export interface Period {
  from: string | null;
  to: string | null;
}

/** A part of one UTC day. */
export interface DayPart {
  day: string;
  from: string;
  to: string;
}

/** A period as whole UTC days, and the parts of days at its ends. */
export interface SplitPeriod {
  /** In their order. */
  days: string[];
  parts: DayPart[];
}

/**
 * @param first the time of the first thing that there is; `last` of the last one. What lies beyond is left out, so that
 *   a period without an end has one.
 */
export function splitPeriod({ from, to }: Period, first: string, last: string): SplitPeriod {
  const start = from !== null && from > first ? from : beginOf(first.slice(0, 10));
  const end = to !== null && to <= last ? to : endOf(last.slice(0, 10));
  const split: SplitPeriod = { days: [], parts: [] };
  for (let day = start.slice(0, 10); beginOf(day) < end; day = dayAfter(day)) {
    const part = { day, from: later(start, beginOf(day)), to: earlier(end, endOf(day)) };
    if (part.from === beginOf(day) && part.to === endOf(day)) split.days.push(day);
    else if (part.from < part.to) split.parts.push(part);
  }
  return split;
}

/** Whether the part goes on to the end of its day. */
export function reachesEndOfDay({ day, to }: DayPart): boolean {
  return to === endOf(day);
}

function beginOf(day: string): string {
  return `${day}${MIDNIGHT}`;
}

function endOf(day: string): string {
  return beginOf(dayAfter(day));
}

function dayAfter(day: string): string {
  return new Date(Date.parse(day) + DAY_MS).toISOString().slice(0, 10);
}

function later(a: string, b: string): string {
  return a > b ? a : b;
}

function earlier(a: string, b: string): string {
  return a < b ? a : b;
}
