import type { RunFinished } from '../../agents/domain/agent.events';
import type { Recorded } from '../../kernel/event';
import type { Usage } from './cost-entry';
import type { LedgerEntry, LedgerEvent } from './ledger';
import { entryOf } from './ledger';

/** Entries added up under one key. */
export interface Tally extends Usage {
  /** Micro-dollars, without what is unpriced. */
  costMicros: number;
  /** Different runs with entries here, of those that are not open. */
  runs: number;
  /** Those among them with an unpriced entry here, for which no result has made up. */
  unpricedRuns: number;
}

/**
 * Entries of the ledger added up by key, and how many runs they are of. Numbers of runs cannot be added up over sheets
 * where a run may have entries in several, so a run stays open, known by its id, until it is certain that it has not.
 */
export interface SpendSheet {
  tallies: Readonly<Record<string, Tally>>;
  /** By id: the keys that the run has entries under, and whether one of these is unpriced. */
  openRuns: Readonly<Record<string, Readonly<Record<string, boolean>>>>;
}

export const EMPTY_SHEET: SpendSheet = { tallies: {}, openRuns: {} };

const NOTHING: Tally = {
  ...{ costMicros: 0, inputTokens: 0, outputTokens: 0, cachedInputTokens: 0 },
  ...{ runs: 0, unpricedRuns: 0 },
};

/** What agents call their models is theirs to choose, and a sheet is one document: far above what anybody needs. */
const MAX_TALLIES = 500;
const MAX_OPEN_RUNS = 1_000;

/**
 * The sheet with what an event adds to it.
 *
 * @param sheet null: there was more in it than it holds, and there still is
 * @param keysOf what an entry is added up under
 */
export function withLedgerEvent(
  sheet: SpendSheet | null,
  recorded: Recorded<LedgerEvent>,
  keysOf: (entry: LedgerEntry) => readonly string[],
): SpendSheet | null {
  if (sheet === null) return null;
  const { event } = recorded;
  const entry = entryOf(event);
  const added = entry === null ? sheet : withEntry(sheet, entry, keysOf(entry));
  const next =
    event.type === 'RunFinished' && isOfOneDay(recorded as Recorded<RunFinished>)
      ? withoutOpenRun(added, event.data.runId, entry?.costSource === 'reported')
      : added;
  const isFull =
    Object.keys(next.tallies).length > MAX_TALLIES || Object.keys(next.openRuns).length > MAX_OPEN_RUNS;
  return isFull ? null : next;
}

/**
 * Whether all entries of the run are of the UTC day of its end. The node that ends its own run has booked everything
 * before, by the same clock; of one that another node has ended, more may come.
 */
function isOfOneDay({ event: { data }, metadata }: Recorded<RunFinished>): boolean {
  return data.startedAt?.slice(0, 10) === metadata.at.slice(0, 10) && data.nodeId === metadata.nodeId;
}

function withEntry(
  { tallies, openRuns }: SpendSheet,
  entry: LedgerEntry,
  keys: readonly string[],
): SpendSheet {
  const isUnpriced = entry.costSource === 'unpriced';
  const nextTallies = { ...tallies };
  for (const key of keys) nextTallies[key] = plusEntry(tallies[key] ?? NOTHING, entry);
  const known = openRuns[entry.runId] ?? {};
  if (keys.every((key) => known[key] === true || known[key] === isUnpriced)) {
    return { tallies: nextTallies, openRuns };
  }
  const run = { ...known };
  for (const key of keys) run[key] = isUnpriced || (known[key] ?? false);
  return { tallies: nextTallies, openRuns: { ...openRuns, [entry.runId]: run } };
}

function plusEntry(tally: Tally, entry: LedgerEntry): Tally {
  return {
    ...tally,
    costMicros: tally.costMicros + (entry.costMicros ?? 0),
    inputTokens: tally.inputTokens + entry.inputTokens,
    outputTokens: tally.outputTokens + entry.outputTokens,
    cachedInputTokens: tally.cachedInputTokens + entry.cachedInputTokens,
  };
}

/** From now on the run is only counted. @param isCostKnown its result has said the cost of all of it */
function withoutOpenRun(sheet: SpendSheet, runId: string, isCostKnown: boolean): SpendSheet {
  const { [runId]: run, ...others } = sheet.openRuns;
  if (!run) return sheet;
  const nextTallies = { ...sheet.tallies };
  for (const [key, isUnpriced] of Object.entries(run)) {
    const tally = nextTallies[key]!;
    const unpriced = isUnpriced && !isCostKnown ? 1 : 0;
    nextTallies[key] = { ...tally, runs: tally.runs + 1, unpricedRuns: tally.unpricedRuns + unpriced };
  }
  return { tallies: nextTallies, openRuns: others };
}
