import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { EventstoredbEventLog } from '../../src/event-log/eventstoredb/eventstoredb-event-log';
import type { EventToAppend } from '../../src/kernel/event';
import { NO_STREAM } from '../../src/kernel/event';
import { uuidv7 } from '../../src/kernel/ids';
import { agentStream } from '../../src/kernel/streams';
import { BareClient } from '../../test/support/eventstoredb/bare-client';
import { someEvents } from '../../test/support/events';
import type { Baseline, Figure } from '../figure';
import { assertSame, quantile } from '../figure';
import type { Scenario } from '../scenario';

const SUPPORT = join(__dirname, '..', '..', 'test', 'support');
const DATA = JSON.stringify({ text: 'x'.repeat(200) });
/** The first one warms both up, and is not counted. Odd ones are begun by the other side. */
const ROUNDS = 9;

interface Shape {
  name: string;
  eventsAtOnce: number;
  inFlight: number;
  appends: number;
}

const SHAPES: readonly Shape[] = [
  { name: 'one event, 64 in flight', eventsAtOnce: 1, inFlight: 64, appends: 4_000 },
  { name: 'two events, 64 in flight', eventsAtOnce: 2, inFlight: 64, appends: 2_000 },
  { name: '100 events, 8 in flight', eventsAtOnce: 100, inFlight: 8, appends: 150 },
];

interface Work {
  stream: string;
  events: EventToAppend[];
}

/** Both sides append the same events to the same node at the same concurrency, in turns. */
export const eventstoredb: Scenario = {
  name: 'eventstoredb',
  about: 'appends through the port and through the bare client, in turns (EVENTSTOREDB_URL, else a double)',
  async run({ quick }) {
    const node = await startNode();
    // Of two clients of a process the end of one costs the other its appends: both are closed at the end.
    const [log, bare] = [await EventstoredbEventLog.open(node.url), new BareClient(node.url)];
    const [figures, baselines]: [Figure[], Baseline[]] = [[], []];
    try {
      for (const shape of SHAPES) {
        const appends = quick ? Math.ceil(shape.appends / 10) : shape.appends;
        const { ratios, port, client } = await inTurns({ ...shape, appends }, log, bare);
        const check = `each stream read back; on ${node.kind}; median of ${ratios.length} rounds`;
        figures.push(
          {
            ...{ name: `${shape.name}: port / bare client`, value: quantile(ratios, 0.5) * 100, unit: '%' },
            ...{ target: { atLeast: 80 }, check },
          },
          { name: `${shape.name}: port`, value: quantile(port, 0.5), unit: 'events/s', check },
        );
        baselines.push({
          ...{ name: `${shape.name}: bare client`, value: quantile(client, 0.5), unit: 'events/s' },
        });
      }
      return { figures, baselines };
    } finally {
      await Promise.all([log.close(), bare.close()]);
      node.stop();
    }
  },
};

async function inTurns(shape: Shape, log: EventstoredbEventLog, bare: BareClient) {
  const [ratios, port, client]: number[][] = [[], [], []];
  for (let round = 0; round < ROUNDS; round++) {
    const rates = { port: 0, client: 0 };
    for (const side of round % 2 === 0 ? (['port', 'client'] as const) : (['client', 'port'] as const)) {
      const work = newWork(shape);
      rates[side] =
        side === 'port'
          ? await rateOf(work, shape, ({ stream, events }) => log.append(stream, events, NO_STREAM))
          : await rateOf(
              work.map(({ stream, events }) => ({ stream, events, data: bare.prepare(events) })),
              shape,
              ({ stream, data }) => bare.append(stream, data),
            );
      await assertWritten(log, work);
    }
    if (round === 0) continue;
    port!.push(rates.port);
    client!.push(rates.client);
    ratios!.push(rates.port / rates.client);
  }
  return { ratios: ratios!, port: port!, client: client! };
}

function newWork({ appends, eventsAtOnce }: Shape): Work[] {
  return Array.from({ length: appends }, () => ({
    stream: agentStream(uuidv7(), uuidv7()),
    events: someEvents(eventsAtOnce, { data: DATA }),
  }));
}

/** Events a second. */
async function rateOf<W extends Work>(
  work: readonly W[],
  { inFlight, eventsAtOnce }: Shape,
  append: (work: W) => Promise<unknown>,
): Promise<number> {
  let next = 0;
  const startedAt = performance.now();
  const writers = Array.from({ length: inFlight }, async () => {
    while (next < work.length) await append(work[next++]!);
  });
  await Promise.all(writers);
  return (work.length * eventsAtOnce * 1_000) / (performance.now() - startedAt);
}

/** Every hundredth stream: reading all would take longer than writing. */
async function assertWritten(log: EventstoredbEventLog, work: readonly Work[]): Promise<void> {
  for (const { stream, events } of work.filter((_, index) => index % 100 === 0)) {
    const ids: string[] = [];
    for await (const { id } of log.read(stream)) ids.push(id);
    assertSame(`events of ${stream}`, ids.join(), events.map(({ id }) => id).join());
  }
}

async function startNode(): Promise<{ url: string; kind: string; stop: () => void }> {
  const given = process.env['EVENTSTOREDB_URL'];
  if (given) return { url: given, kind: 'the node of EVENTSTOREDB_URL', stop: () => undefined };
  const hook = join(SUPPORT, 'typescript-hook.cjs');
  const program = join(SUPPORT, 'eventstoredb', 'double.program.ts');
  const child = spawn(process.execPath, ['-r', hook, program], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { url: line.toString().trim(), kind: 'a double of its protocol', stop: () => child.stdin.end() };
}
