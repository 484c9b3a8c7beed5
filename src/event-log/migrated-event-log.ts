import type { EventToAppend, Position, Revision, StoredEvent } from '../kernel/event';
import type { Appended, EventLog, FollowBatch, FollowOptions, ReadOptions } from './event-log';
import { PositionGone } from './event-log';
import type { Migration } from './migration';
import { readMigration } from './migration';

/** The log, with an answer for those who come with a position of before its migration. @throws MigrationUnfinished */
export async function sinceMigration(log: EventLog): Promise<EventLog> {
  const migration = await readMigration(log);
  return migration ? new MigratedEventLog(log, migration) : log;
}

class MigratedEventLog implements EventLog {
  constructor(
    private readonly log: EventLog,
    private readonly migration: Migration,
  ) {}

  async *follow(options: FollowOptions): AsyncGenerator<FollowBatch> {
    if (this.migration.isGone(options.after)) throw new PositionGone(await this.log.head());
    yield* this.log.follow(options);
  }

  append(stream: string, events: readonly EventToAppend[], expected: Revision): Promise<Appended> {
    return this.log.append(stream, events, expected);
  }

  read(stream: string, options?: ReadOptions): AsyncIterable<StoredEvent> {
    return this.log.read(stream, options);
  }

  head(): Promise<Position> {
    return this.log.head();
  }

  setMaxAge(stream: string, maxAgeSec: number | null): Promise<void> {
    return this.log.setMaxAge(stream, maxAgeSec);
  }

  close(): Promise<void> {
    return this.log.close();
  }
}
