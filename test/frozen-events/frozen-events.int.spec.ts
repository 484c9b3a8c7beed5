import { readdirSync } from 'node:fs';
import { agentDecider } from '../../src/agents/domain/agent.decider';
import { eventShapes } from '../../src/event-shapes';
import { inCurrentShape } from '../../src/event-log/in-current-shape';
import { EmbeddedEventLog } from '../../src/event-log/embedded/embedded-event-log';
import type { StoredEvent } from '../../src/kernel/event';
import { decode, NO_STREAM } from '../../src/kernel/event';
import { messagesOf } from '../../src/live/live-messages';
import { projections, sagas } from '../../src/node';
import type { Projection } from '../../src/processing/projection';
import type { Saga } from '../../src/processing/saga';
import { decodeLogChunk } from '../../src/runs/domain/run-log.events';
import { temporaryFolder } from '../support/temporary-folder';
import { EXAMPLES, exampleName, frozenEvents } from './examples';

const frozen = frozenEvents();

const handling =
  (type: string) =>
  ({ handles }: { handles: readonly string[] }) =>
    handles.includes(type);

async function onlyOf(events: AsyncIterable<StoredEvent>): Promise<StoredEvent> {
  for await (const event of events) return event;
  throw new Error('nothing is there');
}

test('there is an example of every type and every version that was ever written', () => {
  const wanted = Object.entries(eventShapes).flatMap(([type, { version }]) =>
    Array.from({ length: version }, (_, index) => exampleName(type, index + 1)),
  );
  expect(readdirSync(EXAMPLES).sort()).toEqual(wanted.sort());
});

describe('an event of an earlier version of Reveille', () => {
  test.each([...frozen])('%s is read from the log', async (_name, example) => {
    const embedded = await EmbeddedEventLog.open(temporaryFolder());
    const log = inCurrentShape(embedded, eventShapes);
    await log.append(example.stream, [example], NO_STREAM);
    const stored = await onlyOf(log.read(example.stream));
    await log.close();

    expect(stored.unreadable).toBeUndefined();
    expect(stored.metadata.schemaVersion).toBe(eventShapes[example.type]!.version);
    if (example.type === 'LogChunked') {
      const { header, bytes } = decodeLogChunk(stored.data as Uint8Array);
      expect(bytes).toHaveLength(header.length);
      return;
    }
    const recorded = decode(stored);
    // Some find it odd to begin with this event, but none fails to find in it what it reads.
    for (const { id, evolve } of (projections as readonly Projection[]).filter(handling(example.type))) {
      if (id(recorded) !== null) expect(() => evolve(null, recorded)).not.toThrow(TypeError);
    }
    for (const { react } of (sagas as readonly Saga[]).filter(handling(example.type))) {
      expect(react(recorded).every(({ key }) => key.length > 0)).toBe(true);
    }
    expect(() => messagesOf(stored)).not.toThrow();
  });

  test('an agent of then is folded today', () => {
    const registered = [...frozen.values()].find(({ type }) => type === 'AgentRegistered')!;
    const state = agentDecider.evolve(agentDecider.initial(), decode<never>(registered).event);
    expect(state).toMatchObject({ revision: 0, status: 'active' });
  });
});
