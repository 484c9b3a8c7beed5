import type { Database } from '../../sqlite/sqlite';

const EVENT_HEAD = 'SELECT e.position, s.name AS stream, e.revision, t.name AS type, e.id, e.metadata';
const EVENT_ROW = `${EVENT_HEAD}, e.data`;

/** With what the file finds an event by, for those who look whether it is right. */
const FILED_ROW = `${EVENT_ROW}, e.category, e.at_ms AS atMs`;

/** CROSS JOIN keeps SQLite to this order of the tables: through the position, never through the streams. */
const LOG_RANGE = `
  FROM events e CROSS JOIN streams s ON s.id = e.stream_id CROSS JOIN types t ON t.id = e.type_id
  WHERE e.position > ? AND e.position <= ?`;

const STREAM_EVENTS = `${FILED_ROW}
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
    /** Due at once: whoever scavenges finds out when it really is. */
    lookAtAge: db.prepare(`
      INSERT OR REPLACE INTO ageing (stream_id, due_ms) SELECT id, 0 FROM streams WHERE name = ?`),
    forgetAge: db.prepare('DELETE FROM ageing WHERE stream_id = (SELECT id FROM streams WHERE name = ?)'),
  };
}

/** What it takes to remove what has aged out, prepared once. */
export function prepareScavengingStatements(db: Database) {
  return {
    nextDue: db.prepare(`
      SELECT a.stream_id AS id, s.max_age_sec * 1000 AS maxAgeMs
      FROM ageing a JOIN streams s ON s.id = a.stream_id WHERE a.due_ms <= ? ORDER BY a.due_ms LIMIT 1`),
    last: db.prepare(`
      SELECT revision, at_ms AS atMs FROM events WHERE stream_id = ? ORDER BY revision DESC LIMIT 1`),
    oldest: db.prepare(`
      SELECT position, octet_length(data) + octet_length(metadata) AS bytes
      FROM events WHERE stream_id = ? AND revision < ? ORDER BY revision LIMIT ?`),
    remove: db.prepare('DELETE FROM events WHERE position = ?'),
    lookAgain: db.prepare('UPDATE ageing SET due_ms = ? WHERE stream_id = ?'),
    done: db.prepare('DELETE FROM ageing WHERE stream_id = ?'),
  };
}

/** What a reader of an event file needs, prepared once. The range selects take their categories as a JSON array. */
export function prepareReadingStatements(db: Database) {
  return {
    atPosition: db.prepare('SELECT 1 FROM events WHERE position = ?'),
    lastPosition: db.prepare('SELECT coalesce(max(position), 0) AS position FROM events'),
    aged: db.prepare('SELECT 1 FROM ageing WHERE due_ms <= ? LIMIT 1'),
    /** Raw bytes are not even read: of a large value SQLite finds the kind without it. */
    withoutBytes: db.prepare(`
      ${EVENT_HEAD}, CASE typeof(e.data) WHEN 'blob' THEN zeroblob(0) ELSE e.data END AS data
      ${LOG_RANGE} ORDER BY e.position`),
    all: db.prepare(`${FILED_ROW} ${LOG_RANGE} ORDER BY e.position`),
    only: db.prepare(
      `${EVENT_ROW} ${LOG_RANGE} AND e.category IN (SELECT value FROM json_each(?)) ORDER BY e.position`,
    ),
    except: db.prepare(
      `${EVENT_ROW} ${LOG_RANGE} AND e.category NOT IN (SELECT value FROM json_each(?)) ORDER BY e.position`,
    ),
    forwards: db.prepare(`${STREAM_EVENTS} AND e.revision >= ? ORDER BY e.revision`),
    backwards: db.prepare(`${STREAM_EVENTS} AND e.revision <= ? ORDER BY e.revision DESC`),
  };
}
