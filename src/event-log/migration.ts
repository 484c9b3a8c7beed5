import type { DomainEvent, Position } from '../kernel/event';
import { BEFORE_FIRST_POSITION, decode } from '../kernel/event';
import type { ShapesOf } from '../kernel/event-shape';
import { FIRST_SHAPE } from '../kernel/event-shape';
import { MIGRATION_STREAM } from '../kernel/streams';
import type { EventLog, ReadOptions } from './event-log';

/** The stream of a log that was filled from another one: begun, filled up where that is needed, and done. */
export type MigrationEvent =
  | DomainEvent<'LogMigrationStarted', MigrationStarted>
  /** Takes room on the log, so that its positions go on above those of the old one. */
  | DomainEvent<'LogMigrationPadded', { padding: string }>
  | DomainEvent<'LogMigrated', LogMigrated>;

export const migrationEventShapes: ShapesOf<MigrationEvent> = {
  LogMigrationStarted: FIRST_SHAPE,
  LogMigrationPadded: FIRST_SHAPE,
  LogMigrated: FIRST_SHAPE,
};

export interface MigrationStarted {
  /** Head of the old log. Every position of this one is larger. */
  oldHead: string;
  /** The old log's first event, by which it is known again. */
  firstEventId: string;
}

export interface LogMigrated {
  events: number;
  streams: number;
  /** Where those who followed the old log go on in this one, by name. */
  checkpoints: Record<string, string>;
}

/** Somebody has begun to fill this log from another one. */
export class MigrationUnfinished extends Error {
  constructor() {
    super('the event log is being filled from another one, and that is not done');
    this.name = 'MigrationUnfinished';
  }
}

/**
 * What positions of before a migration mean. They are all smaller than any of the new log, so no reader is given wrong
 * events for them.
 */
export class Migration {
  private readonly oldHead: Position;

  constructor(
    started: MigrationStarted,
    private readonly migrated: LogMigrated,
  ) {
    this.oldHead = BigInt(started.oldHead);
  }

  /** Whether the position is one of the old log. 0, before everything, is one of any log. */
  isGone(position: Position): boolean {
    return position > BEFORE_FIRST_POSITION && position <= this.oldHead;
  }

  /** Where a consumer goes on whose stored checkpoint is this. It handles nothing that it had handled before. */
  placeOf(name: string, checkpoint: Position | null): Position {
    if (checkpoint !== null && !this.isGone(checkpoint)) return checkpoint;
    return BigInt(this.migrated.checkpoints[name] ?? BEFORE_FIRST_POSITION);
  }
}

/**
 * The migration that a log came from; null where it has been itself from its beginning.
 *
 * @throws MigrationUnfinished
 */
export async function readMigration(log: EventLog): Promise<Migration | null> {
  const first = await one(log, { limit: 1 });
  if (first?.type !== 'LogMigrationStarted') return null;
  const last = await one(log, { direction: 'backwards', limit: 1 });
  if (last?.type !== 'LogMigrated') throw new MigrationUnfinished();
  return new Migration(first.data, last.data);
}

async function one(log: EventLog, options: ReadOptions): Promise<MigrationEvent | null> {
  for await (const stored of log.read(MIGRATION_STREAM, options)) return decode<MigrationEvent>(stored).event;
  return null;
}
