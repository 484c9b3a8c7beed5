import type { EventLog } from '../../src/event-log/event-log';
import type { UnsealedEvent } from '../../src/event-log/seal';
import { seal } from '../../src/event-log/seal';
import { CHAIN_START } from '../../src/kernel/chain';
import type { Revision } from '../../src/kernel/event';
import { NO_STREAM } from '../../src/kernel/event';
import { uuidv7 } from '../../src/kernel/ids';
import { agentStream, runLogStream, runStream } from '../../src/kernel/streams';
import { someMetadata } from './events';

interface Tail {
  stream: string;
  revision: Revision;
  hash: string;
}

/**
 * Fills a log with what a busy node leaves: many streams that take turns, appends of one to seven events, small ones and
 * some of 100 KB, JSON that does not come back to the letter, text beyond ASCII, and raw log bytes. Chains are real.
 */
export async function fillMixedLog(log: EventLog, count: number): Promise<Tail[]> {
  const companyId = uuidv7();
  const tails = Array.from({ length: 60 }, (_, index): Tail => {
    const name = [agentStream, runStream, runLogStream][index % 3]!;
    return { stream: name(companyId, uuidv7()), revision: NO_STREAM, hash: CHAIN_START };
  });
  for (let written = 0, round = 0; written < count; round++) {
    const turn = tails.map(async (tail, index) => {
      const size = 1 + ((round + index) % 7);
      const events = seal(
        Array.from({ length: size }, (_, place) => someUnsealed(tail.stream, written + place)),
        tail.hash,
      );
      const { revision } = await log.append(tail.stream, events, tail.revision);
      Object.assign(tail, { revision, hash: events.at(-1)!.metadata.hash });
      return size;
    });
    written += (await Promise.all(turn)).reduce((sum, size) => sum + size, 0);
  }
  return tails;
}

function someUnsealed(stream: string, number: number): UnsealedEvent {
  const { hash: _hash, ...metadata } = someMetadata();
  const data = stream.startsWith('runlog-')
    ? Buffer.from(`\0\xff line ${number}\n`.repeat(1 + (number % 50)), 'latin1')
    : someData(number);
  return {
    id: uuidv7(),
    // The other one is known, too, and of no consumer's interest.
    type: stream.startsWith('runlog-') ? 'LogChunked' : 'LogMigrationPadded',
    data,
    metadata,
  };
}

function someData(number: number): object {
  if (number % 97 === 0) return { number, text: 'x'.repeat(100_000) };
  // Integer keys are put in front when JSON is parsed: such data has to be kept as text.
  if (number % 5 === 0) return { number, nested: new Reordered() };
  return { number, text: `€ ${String.fromCodePoint(0x1f4a1)} \u2028 ${number}`, none: null };
}

class Reordered {
  toJSON(): object {
    return [{ b: 1, a: [1.5e300, -0.1, '\u0000'] }];
  }
}
