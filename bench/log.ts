import { join } from 'node:path';
import { EmbeddedEventLog } from '../src/event-log/embedded/embedded-event-log';
import type { StoredEvent } from '../src/kernel/event';
import { BEFORE_FIRST_POSITION } from '../src/kernel/event';

/** Every event of a log whose server has stopped, without the bytes of outputs. */
export async function* eventsOf(dataDir: string): AsyncGenerator<StoredEvent> {
  const log = await EmbeddedEventLog.open(join(dataDir, 'stores'));
  const enough = new AbortController();
  try {
    const head = await log.head();
    const options = {
      after: BEFORE_FIRST_POSITION,
      categories: { except: ['runlog'] },
      signal: enough.signal,
    };
    for await (const { events, reached } of log.follow(options)) {
      yield* events;
      if (reached >= head) enough.abort();
    }
  } finally {
    await log.close();
  }
}

export async function wakeupIdsOnLog(dataDir: string): Promise<Set<string>> {
  const ids = new Set<string>();
  for await (const { type, data } of eventsOf(dataDir)) {
    if (type === 'WakeupRequested') ids.add((JSON.parse(data as string) as { wakeupId: string }).wakeupId);
  }
  return ids;
}
