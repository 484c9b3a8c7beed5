import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import type { ReadOptions } from '../../event-log/event-log';
import type { Position, StoredEvent } from '../../kernel/event';
import type { ExportedCheckpoint, ExportedEvent, ExportHead, ExportLine } from '../domain/export';
import type { Statement } from '../domain/statement';
import type { Batch, Item, Source } from './source';

const READ_BYTES = 1024 * 1024;
const BATCH_LINES = 500;

/** A file is not an export, or not all of one. */
export class ExportUnreadable extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ExportUnreadable';
  }
}

type Places = Map<string, { revision: number; offset: number; length: number }[]>;

interface Line {
  offset: number;
  length: number;
  content: ExportLine;
}

/** An export in a file, as a source of verification: read once, in order, with a few looks back. */
export class ExportSource implements Source {
  /** Where the events of each stream stand in the file, as far as that has been read. */
  private readonly places: Places = new Map();

  /** The same of the whole file, once somebody looks that far. */
  private allPlaces: Promise<Places> | undefined;

  private constructor(
    private readonly file: FileHandle,
    readonly description: ExportHead,
  ) {}

  /** @throws ExportUnreadable */
  static async open(path: string): Promise<ExportSource> {
    const file = await open(path, 'r').catch((cause: Error) => {
      throw new ExportUnreadable(`cannot read ${path}: ${cause.message}`, { cause });
    });
    for await (const { content } of linesOf(file)) {
      if (content.kind === 'export' && content.format === 1) return new ExportSource(file, content);
      break;
    }
    await file.close();
    throw new ExportUnreadable(`${path} is not an export of this format`);
  }

  close(): Promise<void> {
    return this.file.close();
  }

  async head(): Promise<Position> {
    return BigInt(this.description.upTo);
  }

  /** @throws ExportUnreadable where the file ends too early */
  async *items(after: Position, signal: AbortSignal): AsyncGenerator<Batch> {
    let items: Item[] = [];
    let reached = after;
    for await (const line of linesOf(this.file)) {
      signal.throwIfAborted();
      const { content } = line;
      if (content.kind === 'export') continue;
      if (content.kind === 'end') {
        yield { items, reached: BigInt(content.position) };
        return;
      }
      if (content.kind === 'event') note(this.places, line, content);
      reached = BigInt(content.position);
      if (reached > after) items.push(this.itemOf(content));
      if (items.length < BATCH_LINES) continue;
      yield { items, reached };
      items = [];
      // Reading and hashing leave nobody else a turn: a signal would not be heard.
      await new Promise(setImmediate);
    }
    throw new ExportUnreadable('the export is not whole: it has no end');
  }

  read(stream: string, options: ReadOptions = {}): AsyncGenerator<StoredEvent> {
    return this.readAt(this.places.get(stream), options);
  }

  async *lookUp(stream: string, options: ReadOptions = {}): AsyncGenerator<StoredEvent> {
    yield* this.readAt((await (this.allPlaces ??= this.findAll())).get(stream), options);
  }

  private async *readAt(
    known: { revision: number; offset: number; length: number }[] = [],
    options: ReadOptions,
  ): AsyncGenerator<StoredEvent> {
    const { direction = 'forwards', limit = Infinity } = options;
    const from = options.from ?? (direction === 'forwards' ? 0 : Infinity);
    const places = [...known].sort((a, b) => a.revision - b.revision);
    const wanted =
      direction === 'forwards'
        ? places.filter(({ revision }) => revision >= from)
        : places.filter(({ revision }) => revision <= from).reverse();
    for (const { offset, length } of wanted.slice(0, limit)) {
      const bytes = Buffer.alloc(length);
      await this.file.read(bytes, 0, length, offset);
      yield storedEvent(JSON.parse(bytes.toString('utf8')) as ExportedEvent);
    }
  }

  private async findAll(): Promise<Places> {
    const all: Places = new Map();
    for await (const line of linesOf(this.file)) {
      if (line.content.kind === 'event') note(all, line, line.content);
    }
    return all;
  }

  private itemOf(content: ExportedEvent | ExportedCheckpoint): Item {
    if (content.kind === 'event') return { kind: 'event', event: storedEvent(content) };
    const { statement: text, signature, groups, heads, revision, position } = content;
    const statement = JSON.parse(text) as Statement;
    const owner = this.description.companyId;
    return {
      kind: 'checkpoint',
      checkpoint: { text, statement, signature, groups, heads, owner, revision, position },
    };
  }
}

function note(places: Places, { offset, length }: Line, { stream, revision }: ExportedEvent): void {
  const known = places.get(stream);
  if (known) known.push({ revision, offset, length });
  else places.set(stream, [{ revision, offset, length }]);
}

/** @throws ExportUnreadable */
async function* linesOf(file: FileHandle): AsyncGenerator<Line> {
  let rest = Buffer.alloc(0);
  let offset = 0;
  for (let readAt = 0; ;) {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(READ_BYTES), 0, READ_BYTES, readAt);
    readAt += bytesRead;
    rest = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
    let begin = 0;
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10, begin)) {
      yield { offset, length: end - begin, content: parsed(rest.subarray(begin, end), offset) };
      offset += end - begin + 1;
      begin = end + 1;
    }
    rest = rest.subarray(begin);
    if (bytesRead === 0) return;
  }
}

function parsed(line: Buffer, offset: number): ExportLine {
  try {
    return JSON.parse(line.toString('utf8')) as ExportLine;
  } catch (cause) {
    throw new ExportUnreadable(`the line at byte ${offset} of the export is no JSON`, { cause });
  }
}

function storedEvent({ position, data, base64, ...event }: ExportedEvent): StoredEvent {
  const { stream, revision, id, type, metadata } = event;
  const bytes = data ?? Buffer.from(base64 ?? '', 'base64');
  return { stream, revision, id, type, metadata, data: bytes, position: BigInt(position) };
}
