import { randomUUID } from 'node:crypto';

/** What the double keeps, and the rules of EventStoreDB about it, as they were seen on a real node. */

export interface DoubleEvent {
  id: string;
  type: string;
  contentType: string;
  data: Uint8Array;
  metadata: Uint8Array;
}

export interface DoubleRecord extends DoubleEvent {
  stream: string;
  revision: number;
  position: bigint;
  createdMs: number;
}

export type AppendOutcome =
  { kind: 'written'; revision: number; position: bigint } | { kind: 'wrong-version'; current: number | null };

const FIRST_POSITION = 1_000n;

/** A node writes events of its own between those of others, also at the end, and where nobody else writes. */
const STATISTICS_EVERY_MS = 50;
const STATISTICS = '$stats-127.0.0.1:2113';

/** Bytes before each event in the file of a real node, so that positions have gaps. */
const RECORD_OVERHEAD = 137n;

export class RecordedLog {
  readonly all: DoubleRecord[] = [];
  private readonly streams = new Map<string, DoubleRecord[]>();
  private readonly listeners = new Set<() => void>();
  private nextPosition = FIRST_POSITION;
  private readonly statistics: NodeJS.Timeout;

  constructor() {
    this.append('$users', [systemEvent('$User', { loginName: 'admin' })], null);
    const takeDown = () => this.append(STATISTICS, [systemEvent('$statsCollected', { proc: 1 })], undefined);
    this.statistics = setInterval(takeDown, STATISTICS_EVERY_MS);
  }

  close(): void {
    clearInterval(this.statistics);
  }

  /** @param expected null: the stream must not exist; undefined: any revision */
  append(stream: string, events: readonly DoubleEvent[], expected: number | null | undefined): AppendOutcome {
    const records = this.streams.get(stream) ?? [];
    const current = records.length - 1;
    const at = expected === undefined ? current : (expected ?? -1);
    if (at !== current) {
      const there = records.slice(at + 1, at + 1 + events.length);
      const isRepeated =
        at < current &&
        there.length === events.length &&
        there.every(({ id }, index) => id === events[index]!.id);
      if (!isRepeated) return { kind: 'wrong-version', current: current < 0 ? null : current };
      return { kind: 'written', revision: at + events.length, position: there.at(-1)!.position };
    }
    for (const event of events) {
      const record = {
        ...event,
        stream,
        revision: records.length,
        position: this.nextPosition,
        createdMs: Date.now(),
      };
      this.nextPosition += RECORD_OVERHEAD + BigInt(event.data.length + event.metadata.length);
      records.push(record);
      this.all.push(record);
    }
    this.streams.set(stream, records);
    for (const listener of this.listeners) listener();
    return { kind: 'written', revision: records.length - 1, position: records.at(-1)!.position };
  }

  /** null where there is no such stream. Events that have aged out are left out. */
  readStream(
    stream: string,
    options: { from: number | 'start' | 'end'; isBackwards: boolean; count: number },
  ): DoubleRecord[] | null {
    const records = this.streams.get(stream);
    if (!records) return null;
    const oldestMs = Date.now() - this.maxAgeMs(stream);
    const visible = records.filter(({ createdMs }) => createdMs > oldestMs);
    const from = options.from === 'start' ? 0 : options.from === 'end' ? Infinity : options.from;
    const found = options.isBackwards
      ? visible.filter(({ revision }) => revision <= from).reverse()
      : visible.filter(({ revision }) => revision >= from);
    return found.slice(0, options.count);
  }

  /**
   * Forwards, `from` is inclusive; backwards it is not: in a node's file a position is then the end of what comes first,
   * and that of an event is its beginning.
   */
  readAll(options: { from: bigint | 'start' | 'end'; isBackwards: boolean; count: number }): DoubleRecord[] {
    const { from, isBackwards, count } = options;
    if (isBackwards) {
      const end = from === 'end' ? this.all.length : this.indexAfter(from === 'start' ? -1n : from - 1n);
      return this.all.slice(Math.max(0, end - count), end).reverse();
    }
    const start = from === 'start' ? 0 : from === 'end' ? this.all.length : this.indexAfter(from - 1n);
    return this.all.slice(start, start + count);
  }

  /** Whether an event begins there, or nothing has been written yet. */
  isPosition(position: bigint): boolean {
    return position >= this.nextPosition || this.all[this.indexAfter(position) - 1]?.position === position;
  }

  /** Index of the first event behind a position. */
  indexAfter(position: bigint): number {
    let [low, high] = [0, this.all.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.all[middle]!.position <= position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  onAppended(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private maxAgeMs(stream: string): number {
    const metadata = this.streams.get(`$$${stream}`)?.at(-1);
    if (!metadata) return Infinity;
    const { $maxAge } = JSON.parse(Buffer.from(metadata.data).toString('utf8')) as { $maxAge?: number };
    return $maxAge === undefined ? Infinity : $maxAge * 1_000;
  }
}

function systemEvent(type: string, data: object): DoubleEvent {
  return {
    id: randomUUID(),
    type,
    contentType: 'application/json',
    data: Buffer.from(JSON.stringify(data)),
    metadata: Buffer.alloc(0),
  };
}
