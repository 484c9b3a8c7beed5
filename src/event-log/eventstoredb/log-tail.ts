import type { AllStreamResolvedEvent } from '@eventstore/db-client';
import type { Position } from '../../kernel/event';
import { BEFORE_FIRST_POSITION } from '../../kernel/event';

const LARGEST_PAGE = 1_000;
/** More than what the server looks at before it says by itself how far it has come. */
const GAP_PAGE = 64;

/** Reads events of all streams, system streams included. */
export interface ReadAll {
  /**
   * The newest first; null: from the end. Whether the event at `from` comes as well is the server's affair: what stands
   * for a position is its beginning in one direction and its end in the other.
   */
  backwards(from: Position | null, maxCount: number): Promise<AllStreamResolvedEvent[]>;
  /** The oldest first, `from` inclusive. */
  forwards(from: Position, maxCount: number): Promise<AllStreamResolvedEvent[]>;
}

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
    private readonly readAll: ReadAll,
    /** Whether a stream, by its name on the server, is one of this installation. */
    private readonly isOurs: (stream: string) => boolean,
  ) {}

  async head(): Promise<Position> {
    let searched: Position | undefined;
    for (let from: Position | null = null, count = 1; ; count = LARGEST_PAGE) {
      const page = await this.readAll.backwards(from, count);
      for (const { event } of page) {
        const position = event!.position.commit;
        searched ??= position;
        if (position <= this.known.searched) return this.learn(this.known.head, searched);
        if (this.isOurs(event!.streamId)) return this.learn(position, searched);
        from = position;
      }
      // A page that has nothing, or at most `from` itself, is the beginning of the log.
      if (page.length < 2 && count > 1) return this.learn(BEFORE_FIRST_POSITION, searched ?? 0n);
      if (page.length === 0) return this.known.head;
    }
  }

  /**
   * Whether nothing that `passes` stands after one position, up to and including another. False also where that cannot be
   * told yet: a node of a cluster may not have all that another one has said.
   */
  async isEmptyBetween(
    after: Position,
    upTo: Position,
    passes: (stream: string) => boolean,
  ): Promise<boolean> {
    for (let from = after; ;) {
      const page = await this.readAll.forwards(from, GAP_PAGE);
      for (const { event } of page) {
        const position = event!.position.commit;
        if (position > upTo) return true;
        if (position > after && passes(event!.streamId)) return false;
        if (position === upTo) return true;
        from = position;
      }
      if (page.length < GAP_PAGE) return false;
    }
  }

  private learn(head: Position, searched: Position): Position {
    if (searched > this.known.searched) this.known = { head, searched };
    return head;
  }
}
