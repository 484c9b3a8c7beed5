import type { AgentJournal, NoteFact, OutputFact, OutputReader, UsageFact } from '../adapters/output-reader';
import { GrowingFile } from './growing-file';
import { shortened } from './json-limits';
import type { PlacedLine } from './lines';
import { pause } from '../kernel/pause';
import type { ReportedEvent } from './reported-event';
import type { RunEventInput } from './run-event-writer';
import { messageOf } from './run-failure';
import type { ParsedReport } from './run-report';
import { MAX_NAME_LENGTH, reportOf, sessionIdSchema, toMicros } from './run-report';
import type { RunSecrets } from './run-secrets';

/** A look costs microseconds; what a call has cost has to be known before the next one is made. */
const POLL_MS = 20;
/** Looking for a journal takes longer than looking into one. */
const FIND_EVERY_MS = 200;
/** A tool may answer with an image. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;
const MAX_MESSAGE_BYTES = 2 * 1024;
/** Notes of one life of the server about one run; usage is always booked. */
const MAX_NOTES = 200;
const MAX_COMPLAINTS = 5;

const SOURCES = ['stdout', 'journal'] as const;
type Source = (typeof SOURCES)[number];

/** In the payload of every event that was read from a source: up to where that was read, in bytes. */
export const READ_TO_KEY = { stdout: 'stdoutReadTo', journal: 'journalReadTo' } as const;
/** In the payload of the event that says which session the agent works in. */
export const SESSION_KEY = 'sessionId';

/** How far the sources have been booked, in bytes. */
export type OutputProgress = Record<Source, number>;

export interface AgentOutputDeps {
  reader: OutputReader;
  /** The spool of stdout. */
  path: string;
  /** What is booked by now: it is read again, and passed over. Kept up to date. */
  progress: OutputProgress;
  environment: Readonly<Record<string, string>>;
  secrets: Pick<RunSecrets, 'mask'>;
  book: (events: readonly (ReportedEvent | RunEventInput<'error' | 'note'>)[]) => Promise<unknown>;
}

/**
 * Understands what an agent's program says on its standard output and in its journal, and books it as events of the
 * run while it goes on: usage by the model call, the session, notes. A server that takes the run up reads all of it
 * again, since a reader cannot begin in the middle, and books what was not booked yet.
 */
export class AgentOutput {
  private readonly files: Partial<Record<Source, GrowingFile>>;
  private readonly givenUp = new Set<Source>();
  private sessionId: string | null = null;
  private notes = 0;
  private complaints = 0;
  private lookedForJournalAtMs = -Infinity;

  constructor(private readonly deps: AgentOutputDeps) {
    this.files = { stdout: new GrowingFile(deps.path, MAX_LINE_BYTES) };
  }

  /** Books what is said as it comes, until `stop` aborts. */
  async follow(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      const hasMore = await this.readOn();
      if (!hasMore) await pause(POLL_MS, stop);
    }
  }

  /** Books what is left, the last line also without a line feed. */
  async drain(): Promise<void> {
    do this.lookedForJournalAtMs = -Infinity;
    while (await this.readOn());
    for (const source of SOURCES) {
      if (!this.givenUp.has(source)) await this.take(source, this.files[source]?.rest() ?? []);
    }
  }

  close(): void {
    for (const source of SOURCES) this.files[source]?.close();
  }

  /** @param stderr its end */
  isSessionMissing(stderr: string): boolean {
    return this.deps.reader.isSessionMissing?.(stderr) ?? false;
  }

  /** What all of it comes to. @param stderr its end */
  report(stderr: string): ParsedReport {
    try {
      return reportOf(this.deps.reader.result(stderr));
    } catch (error) {
      return { report: null, problems: [messageOf(error)] };
    }
  }

  /** Answers whether there may be more. */
  private async readOn(): Promise<boolean> {
    await this.findJournal();
    let hasMore = false;
    for (const source of SOURCES) {
      const lines = await this.nextLines(source);
      if (lines === null) continue;
      hasMore = true;
      await this.take(source, lines);
    }
    return hasMore;
  }

  private async findJournal(): Promise<void> {
    const { reader, environment } = this.deps;
    const isDue = Date.now() - this.lookedForJournalAtMs >= FIND_EVERY_MS;
    if (!reader.journal || this.files.journal || !isDue) return;
    this.lookedForJournalAtMs = Date.now();
    const path = await reader.journal.find(environment).catch(() => null);
    if (path !== null) this.files.journal = new GrowingFile(path, MAX_LINE_BYTES);
  }

  /** What is wrong with a file is not the server's doing: it is said once, and the file is left alone from then on. */
  private async nextLines(source: Source): Promise<PlacedLine[] | null> {
    if (this.givenUp.has(source)) return null;
    try {
      return (await this.files[source]?.next()) ?? null;
    } catch (error) {
      this.givenUp.add(source);
      const message = `The ${source} of the agent is understood no further: ${messageOf(error)}`;
      await this.deps.book([{ eventType: 'error', level: 'error', message }]);
      return null;
    }
  }

  private async take(source: Source, lines: readonly PlacedLine[]): Promise<void> {
    const { progress, book } = this.deps;
    for (const line of lines) {
      const events = this.eventsOf(source, line);
      const readTo = { [READ_TO_KEY[source]]: line.end };
      if (line.end <= progress[source] || events.length === 0) continue;
      await book(events.map((event) => ({ ...event, payload: { ...event.payload, ...readTo } })));
      progress[source] = line.end;
    }
  }

  private eventsOf(source: Source, line: PlacedLine): (ReportedEvent | RunEventInput<'error'>)[] {
    if (line.text.trim() === '') return [];
    try {
      if (line.isTooLong) throw new Error(`longer than ${MAX_LINE_BYTES} bytes`);
      const { reader } = this.deps;
      const reads: Pick<AgentJournal, 'line'> = source === 'stdout' ? reader : reader.journal!;
      return reads.line(line.text).flatMap((fact) => this.eventOf(fact) ?? []);
    } catch (error) {
      if (++this.complaints > MAX_COMPLAINTS) return [];
      const message = `A line of the agent's ${source} could not be understood: ${messageOf(error)}`;
      return [{ eventType: 'error', level: 'error', message }];
    }
  }

  private eventOf(fact: OutputFact): ReportedEvent | null {
    switch (fact.type) {
      case 'usage':
        return this.usageOf(fact);
      case 'session':
        return this.sessionOf(fact.sessionId);
      case 'note':
        return this.noteOf(fact);
      default:
        throw new Error(`there is no fact of type ${String((fact as { type: unknown }).type)}`);
    }
  }

  private usageOf(fact: UsageFact): ReportedEvent {
    const { inputTokens, outputTokens, cachedInputTokens, costUsd, surchargeTokens = 0 } = fact;
    const { provider = null, model = null, pricedLike = null } = fact;
    const reported = {
      usage: { inputTokens, outputTokens, cachedInputTokens },
      costMicros: costUsd === undefined ? null : toMicros(costUsd),
      ...this.deps.secrets.mask.texts({ provider: nameOf(provider), model: nameOf(model) }),
      ...{ surchargeTokens, pricedLike },
    };
    return { eventType: 'usage', reported, payload: null };
  }

  private sessionOf(sessionId: string): ReportedEvent | null {
    if (sessionId === this.sessionId || !sessionIdSchema.safeParse(sessionId).success) return null;
    this.sessionId = sessionId;
    const shown = this.deps.secrets.mask.text(sessionId);
    return {
      ...{ eventType: 'note', message: `session ${shown}`, level: 'info' },
      payload: { [SESSION_KEY]: shown },
    };
  }

  private noteOf({ level, message }: NoteFact): ReportedEvent | null {
    if (++this.notes > MAX_NOTES) return null;
    // Masked before it is cut: half a secret would not be found.
    const text = shortened(this.deps.secrets.mask.text(message), MAX_MESSAGE_BYTES);
    return { eventType: 'note', level, message: text, payload: null };
  }
}

/** No longer than a name can be: a line has room for more than an event. */
function nameOf(said: string | null): string | null {
  return said === null ? null : said.slice(0, MAX_NAME_LENGTH);
}
