import type { Database } from '../../sqlite/sqlite';
import { vacantPages } from '../../sqlite/shrinking';
import { prepareReadingStatements } from './event-statements';
import type { CategoryFilter, EventRow, LogFilter, LogPage, StreamPage, StreamQuery } from './store-messages';

const MAX_LOG_PAGE_ROWS = 500;
/** A page ends with the event that takes it past this, so memory is bounded by it and the largest event. */
const MAX_PAGE_BYTES = 1024 * 1024;

type Statement = ReturnType<Database['prepare']>;

/** Reads one SQLite file of streams and their events, page by page, beside its writer. */
export class EventFileReader {
  private readonly statements: ReturnType<typeof prepareReadingStatements>;

  constructor(private readonly db: Database) {
    this.statements = prepareReadingStatements(db);
  }

  readStream({ stream, from, direction, maxRows, head, nowMs }: StreamQuery): StreamPage {
    return takePage(this.statements[direction], [stream, head, nowMs, from], maxRows);
  }

  /** The events after a position, up to and including `upTo`, or as many as fit into a page. */
  readAfter(after: number, upTo: number, { categories, withoutBytes }: LogFilter = {}): LogPage {
    const [statement, ...filter] =
      withoutBytes && !categories ? [this.statements.withoutBytes] : this.rangeStatement(categories);
    const { rows, complete } = takePage(statement, [after, upTo, ...filter], MAX_LOG_PAGE_ROWS);
    return { rows, reached: complete ? upTo : rows.at(-1)!.position };
  }

  has(position: number): boolean {
    return this.statements.atPosition.get(position) !== undefined;
  }

  /** 0 where there is no event. */
  lastPosition(): number {
    return (this.statements.lastPosition.get() as { position: number }).position;
  }

  /** Whether there is something for a scavenger to do: events that have aged out, or room to be given back. */
  needsScavenging(nowMs: number): boolean {
    return this.statements.aged.get(nowMs) !== undefined || vacantPages(this.db) > 0;
  }

  close(): void {
    if (!this.db.isOpen) return;
    this.db.close();
  }

  private rangeStatement(categories: CategoryFilter): [Statement, ...parameters: string[]] {
    const { all, only, except } = this.statements;
    if (!categories) return [all];
    return 'only' in categories
      ? [only, JSON.stringify(categories.only)]
      : [except, JSON.stringify(categories.except)];
  }
}

function takePage(statement: Statement, parameters: (string | number)[], maxRows: number): StreamPage {
  const rows: EventRow[] = [];
  let bytes = 0;
  try {
    for (const row of statement.iterate(...parameters) as Iterable<EventRow>) {
      rows.push(row);
      bytes += row.data.length + row.metadata.length;
      if (rows.length >= maxRows || bytes >= MAX_PAGE_BYTES) return { rows, complete: false };
    }
    return { rows, complete: true };
  } catch (error) {
    clearError(statement);
    throw error;
  }
}

/** A statement whose iteration failed throws the same error again at its next use: here, where nobody minds. */
function clearError(statement: Statement): void {
  try {
    statement.iterate();
  } catch {
    // That was it.
  }
}
