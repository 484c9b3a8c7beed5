import { createHash } from 'node:crypto';
import type { Document, DocumentStore, Identified } from '../documents/document-store';
import { canonicalJson, sha256Hex } from '../kernel/canonical-json';
import type { Position } from '../kernel/event';
import type { FrozenView } from './frozen-view';
import { differingFields } from './differing-fields';

/** Documents may be large, and two pages are in memory at once. */
const PAGE = 100;
const MAX_NAMED = 100;

/** A document that is not what the log makes of it. */
export interface Difference {
  id: string;
  /** `missing`: only the log makes it; `extra`: the log makes no such document. */
  kind: 'changed' | 'missing' | 'extra';
  /** Paths of the fields that differ, the first 20; none where a whole document does. */
  fields: string[];
  checksums: Checksums;
}

/** SHA-256 over canonical JSON; null: there is no such document. */
export interface Checksums {
  live: string | null;
  rebuilt: string | null;
}

/** The live documents beside those that the log makes, both at one position. */
export interface Comparison {
  position: string;
  equal: boolean;
  documents: { live: number; rebuilt: number };
  /** Over all ids and documents, in order. */
  checksums: Checksums;
  differing: number;
  /** The first 100. */
  differences: Difference[];
}

/**
 * Compares two collections at one position: the one as the view shows it, the other one as it is, since nobody writes to
 * it meanwhile.
 *
 * @param onProgress is told how many ids have been compared so far
 * @throws the reason of the signal
 */
export async function compareCollections(
  documents: DocumentStore,
  names: { live: string; rebuilt: string; view: FrozenView },
  position: Position,
  signal: AbortSignal,
  onProgress: (compared: number) => void,
): Promise<Comparison> {
  const counts = { live: 0, rebuilt: 0 };
  const hashes = { live: createHash('sha256'), rebuilt: createHash('sha256') };
  const differences: Difference[] = [];
  let [differing, compared] = [0, 0];
  const live = scanAll(documents, names.live, signal, names.view);
  const rebuilt = scanAll(documents, names.rebuilt, signal);
  for await (const pair of paired(live, rebuilt)) {
    onProgress((compared += 1));
    const text = { live: canonicalText(pair.live), rebuilt: canonicalText(pair.rebuilt) };
    for (const side of ['live', 'rebuilt'] as const) {
      if (text[side] === null) continue;
      counts[side] += 1;
      hashes[side].update(`${JSON.stringify(pair.id)}${text[side]}\n`);
    }
    if (text.live === text.rebuilt) continue;
    differing += 1;
    if (differences.length < MAX_NAMED) differences.push(differenceOf(pair, text));
  }
  const checksums = { live: hashes.live.digest('hex'), rebuilt: hashes.rebuilt.digest('hex') };
  const equal = differing === 0;
  return { position: `${position}`, equal, documents: counts, checksums, differing, differences };
}

interface Pair {
  id: string;
  live: Document | null;
  rebuilt: Document | null;
}

/** Both collections side by side: each id once, in order. */
async function* paired(live: Scan, rebuilt: Scan): AsyncGenerator<Pair> {
  let [left, right] = [await nextOf(live), await nextOf(rebuilt)];
  while (left || right) {
    const order = orderOf(left?.id, right?.id);
    yield {
      id: (order <= 0 ? left : right)!.id,
      live: order <= 0 ? left!.document : null,
      rebuilt: order >= 0 ? right!.document : null,
    };
    if (order <= 0) left = await nextOf(live);
    if (order >= 0) right = await nextOf(rebuilt);
  }
}

type Scan = AsyncGenerator<Identified<Document>, void>;

async function nextOf(scan: Scan): Promise<Identified<Document> | undefined> {
  return (await scan.next()).value ?? undefined;
}

/** That of the scans; an end comes last. JavaScript's own order is that of UTF-16, which is another one. */
function orderOf(a: string | undefined, b: string | undefined): number {
  if (a === b) return 0;
  if (a === undefined || b === undefined) return a === undefined ? 1 : -1;
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

async function* scanAll(
  documents: DocumentStore,
  collection: string,
  signal: AbortSignal,
  view?: FrozenView,
): Scan {
  let after: string | null = null;
  for (;;) {
    signal.throwIfAborted();
    const page: Identified<Document>[] = await documents.scan(collection, after, PAGE);
    const isLast = page.length < PAGE;
    const last: string | null = isLast ? null : page.at(-1)!.id;
    yield* view ? view.asItWas(page, last) : page;
    if (isLast) return;
    after = last;
    // A store in this process answers at once, time after time: nothing else would get its turn.
    await new Promise(setImmediate);
  }
}

function canonicalText(document: Document | null): string | null {
  return document === null ? null : canonicalJson(document);
}

function differenceOf(
  { id, live, rebuilt }: Pair,
  text: { live: string | null; rebuilt: string | null },
): Difference {
  const checksum = (json: string | null) => (json === null ? null : sha256Hex(json));
  return {
    id,
    kind: live === null ? 'missing' : rebuilt === null ? 'extra' : 'changed',
    fields: live === null || rebuilt === null ? [] : differingFields(live, rebuilt),
    checksums: { live: checksum(text.live), rebuilt: checksum(text.rebuilt) },
  };
}
