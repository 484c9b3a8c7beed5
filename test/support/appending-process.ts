import { writeSync } from 'node:fs';
import { EmbeddedEventLog } from '../../src/event-log/embedded/embedded-event-log';
import { NO_STREAM } from '../../src/kernel/event';
import { someEvents } from './events';

/** What the process says, as a line of JSON, once an append is acknowledged. */
export interface Acknowledged {
  stream: string;
  ids: string[];
  /** Decimal strings. */
  positions: string[];
  /** Of the last event. */
  revision: number;
}

const STREAMS = ['agent-c.1', 'agent-c.2', 'agent-c.3', 'run-c.1', 'run-c.2', 'runlog-c.1', 'runlog-c.2'];

/** Appends to several streams at once, going on where they are, until it is killed. */
async function main(folder: string): Promise<void> {
  const log = await EmbeddedEventLog.open(folder);
  await Promise.all(STREAMS.map((stream) => appendForever(log, stream)));
}

async function appendForever(log: EmbeddedEventLog, stream: string): Promise<void> {
  const data = stream.startsWith('runlog') ? Buffer.alloc(20_000, 'x') : '{"text":"✓"}';
  let expected = NO_STREAM;
  for await (const { revision } of log.read(stream, { direction: 'backwards', limit: 1 }))
    expected = revision;
  for (let round = 0; ; round++) {
    const events = someEvents((round % 3) + 1, { data });
    const { revision, positions } = await log.append(stream, events, expected);
    expected = revision;
    const ids = events.map(({ id }) => id);
    const acknowledged: Acknowledged = { stream, ids, positions: (await positions()).map(String), revision };
    writeSync(1, `${JSON.stringify(acknowledged)}\n`);
  }
}

if (require.main === module) void main(process.argv[2]!);
