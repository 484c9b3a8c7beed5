import { EmbeddedEventLog } from '../../src/event-log/embedded/embedded-event-log';
import type { Position, Recorded } from '../../src/kernel/event';
import { NO_STREAM } from '../../src/kernel/event';
import { someEvent } from './events';
import { ObservedLog } from './observed-log';
import { temporaryFolder } from './temporary-folder';

/** Which number an event has, and what it concerns. */
export interface Numbered {
  n: number;
  of: string;
}

/** A real log in a temporary folder, watched, and filled with events that are numbered 0, 1, 2 … */
export class NumberedLog {
  readonly log: ObservedLog;
  /** Of each event, by its number. */
  readonly positions: Position[] = [];
  private readonly revisions = new Map<string, number>();

  private constructor(private readonly embedded: EmbeddedEventLog) {
    this.log = new ObservedLog(embedded);
  }

  static async open(): Promise<NumberedLog> {
    return new NumberedLog(await EmbeddedEventLog.open(temporaryFolder()));
  }

  /** Appends the next `count` numbers at once, to the stream of what they concern. */
  async write(count = 1, { of = 'x', type = 'NumberTold' } = {}): Promise<Position> {
    const numbers = Array.from({ length: count }, (_, index) => this.positions.length + index);
    const events = numbers.map((n) =>
      someEvent({ type, data: JSON.stringify({ n, of } satisfies Numbered) }),
    );
    const positions = await this.append(`agent-c.${of}`, events);
    this.positions.push(...positions);
    return positions.at(-1)!;
  }

  /** Appends bytes that no consumer is to see. */
  async writeLogBytes(): Promise<Position> {
    const [position] = await this.append('runlog-c.1', [someEvent({ data: Buffer.from('bytes') })]);
    return position!;
  }

  close(): Promise<void> {
    return this.embedded.close();
  }

  private async append(stream: string, events: ReturnType<typeof someEvent>[]): Promise<readonly Position[]> {
    const expected = this.revisions.get(stream) ?? NO_STREAM;
    this.revisions.set(stream, expected + events.length);
    return (await this.embedded.append(stream, events, expected)).positions();
  }
}

export function numberOf({ event }: Recorded): number {
  return (event.data as Numbered).n;
}
