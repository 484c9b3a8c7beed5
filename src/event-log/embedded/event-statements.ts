import type { Database } from '../../sqlite/sqlite';

const EVENT_ROW = `
  SELECT e.position, s.name AS stream, e.revision, t.name AS type, e.id, e.metadata, e.data`;

/** CROSS JOIN keeps SQLite to this order of the tables: through the position, never through the streams. */
const LOG_RANGE = `${EVENT_ROW}
  FROM events e CROSS JOIN streams s ON s.id = e.stream_id CROSS JOIN types t ON t.id = e.type_id
  WHERE e.position > ? AND e.position <= ?`;

const STREAM_EVENTS = `${EVENT_ROW}
  FROM streams s CROSS JOIN events e ON e.stream_id = s.id CROSS JOIN types t ON t.id = e.type_id
  WHERE s.name = ? AND e.position <= ? AND (s.max_age_sec IS NULL OR e.at_ms >= ? - s.max_age_sec * 1000)`;

/** What the writer of an event file needs, prepared once. */
export function prepareWritingStatements(db: Database) {
  return {
    begin: db.prepare('BEGIN IMMEDIATE'),
    commit: db.prepare('COMMIT'),
    rollback: db.prepare('ROLLBACK'),

    lastPosition: db.prepare('SELECT coalesce(max(position), 0) AS position FROM events'),
    head: db.prepare(`
      SELECT id, coalesce((SELECT max(revision) FROM events WHERE stream_id = streams.id), -1) AS revision,
        max_age_sec IS NOT NULL AS ages
      FROM streams WHERE name = ?`),
    idsOfRevisions: db.prepare(`
      SELECT id, position FROM events WHERE stream_id = ? AND revision > ? AND revision <= ? ORDER BY revision`),

    insertEvent: db.prepare(`
      INSERT INTO events (position, stream_id, revision, type_id, category, at_ms, id, metadata, data)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`),
    insertStream: db.prepare('INSERT INTO streams (name) VALUES (?)'),
    insertType: db.prepare('INSERT INTO types (name) VALUES (?)'),
    typeId: db.prepare('SELECT id FROM types WHERE name = ?'),
    setMaxAge: db.prepare(`
      INSERT INTO streams (name, max_age_sec) VALUES (?, ?)
      ON CONFLICT (name) DO UPDATE SET max_age_sec = excluded.max_age_sec`),
  };
}

/** What a reader of an event file needs, prepared once. The range selects take their categories as a JSON array. */
export function prepareReadingStatements(db: Database) {
  return {
    atPosition: db.prepare('SELECT 1 FROM events WHERE position = ?'),
    all: db.prepare(`${LOG_RANGE} ORDER BY e.position`),
    only: db.prepare(`${LOG_RANGE} AND e.category IN (SELECT value FROM json_each(?)) ORDER BY e.position`),
    except: db.prepare(
      `${LOG_RANGE} AND e.category NOT IN (SELECT value FROM json_each(?)) ORDER BY e.position`,
    ),
    forwards: db.prepare(`${STREAM_EVENTS} AND e.revision >= ? ORDER BY e.revision`),
    backwards: db.prepare(`${STREAM_EVENTS} AND e.revision <= ? ORDER BY e.revision DESC`),
  };
}
