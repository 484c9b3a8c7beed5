import type { AllStreamResolvedEvent } from '@eventstore/db-client';
import type { Position } from '../../kernel/event';
import { BEFORE_FIRST_POSITION } from '../../kernel/event';

const LARGEST_PAGE = 1_000;

/** Reads events of all streams, the newest first, `from` inclusive; null: from the end. */
export type ReadBackwards = (from: Position | null, maxCount: number) => Promise<AllStreamResolvedEvent[]>;

/**
 * Where the log ends. The server writes events of its own, and may hold those of others, which nobody here follows: the
 * head is the last event of this installation.
 */
export class LogTail {
  /** Up to `searched` nothing of ours follows `head`. */
  private known: { head: Position; searched: Position } = {
    head: BEFORE_FIRST_POSITION,
    searched: BEFORE_FIRST_POSITION,
  };

  constructor(
    private readonly readBackwards: ReadBackwards,
    /** Whether a stream, by its name on the server, is one of this installation. */
    private readonly isOurs: (stream: string) => boolean,
  ) {}

  async head(): Promise<Position> {
    let searched: Position | undefined;
    for (let from: Position | null = null, count = 1; ; count = LARGEST_PAGE) {
      const page = await this.readBackwards(from, count);
      for (const { event } of page) {
        const position = event!.position.commit;
        searched ??= position;
        if (position <= this.known.searched) return this.learn(this.known.head, searched);
        if (this.isOurs(event!.streamId)) return this.learn(position, searched);
        from = position;
      }
      // Backwards reading starts with `from` itself: a page that has nothing else is the beginning of the log.
      if (page.length < 2 && count > 1) return this.learn(BEFORE_FIRST_POSITION, searched ?? 0n);
      if (page.length === 0) return this.known.head;
    }
  }

  /** Whether nothing that `passes` stands after one position, up to and including another. */
  async isEmptyBetween(
    after: Position,
    upTo: Position,
    passes: (stream: string) => boolean,
  ): Promise<boolean> {
    for (let from = upTo, count = 32; ; count = LARGEST_PAGE) {
      const page = await this.readBackwards(from, count);
      for (const { event } of page) {
        const position = event!.position.commit;
        if (position <= after) return true;
        if (passes(event!.streamId)) return false;
        from = position;
      }
      if (page.length < 2) return true;
    }
  }

  private learn(head: Position, searched: Position): Position {
    if (searched > this.known.searched) this.known = { head, searched };
    return head;
  }
}
