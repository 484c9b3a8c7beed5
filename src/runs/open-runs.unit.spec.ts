import { someMetadata } from '../../test/support/events';
import type { Recorded } from '../kernel/event';
import { lifecycle } from './domain/run.events';
import { OpenRuns } from './open-runs';
import type { RunDocument } from './projections/runs.projection';
import { runsProjection } from './projections/runs.projection';

const whose = { companyId: 'company', agentId: 'agent' };

/** An event of the log; without data it cannot be read. */
function recorded(position: number, type: string, data: object | null): Recorded {
  const event = {
    type,
    get data() {
      if (data === null) throw new Error('unreadable');
      return { ...whose, ...data };
    },
  };
  const place = { id: `${position}`, stream: 'stream', revision: position, position: BigInt(position) };
  return { event, ...place, metadata: someMetadata() };
}

const queued = (position: number, runId: string) =>
  recorded(position, 'RunQueued', { runId, priority: 0, coalesceKey: null });
const opened = (position: number, runId: string) =>
  recorded(position, 'RunLifecycleRecorded', { runId, message: lifecycle.queued });
const started = (position: number, runId: string) =>
  recorded(position, 'RunStarted', { runId, nodeId: 'here' });
const finished = (position: number, runId: string) => recorded(position, 'RunFinished', { runId });

const document = (id: string, status: RunDocument['status'], parts: Partial<RunDocument>) =>
  ({
    id,
    ...whose,
    status,
    priority: 0,
    coalesceKey: null,
    nodeId: null,
    finishedAt: null,
    ...parts,
  }) as RunDocument;

/** @param reached how far the read model of runs, and the saga that opens them, have come */
function openRuns(
  reached: { runs: number; execution: number },
  documents: readonly RunDocument[],
  log: readonly Recorded[],
  leftBehind: readonly string[] = [],
): Promise<OpenRuns> {
  const head = log.at(-1)?.position ?? BigInt(Math.max(reached.runs, reached.execution));
  return OpenRuns.asOf(
    head,
    {
      processing: {
        reached: (name) => BigInt(name === runsProjection.name ? reached.runs : reached.execution),
        feed: {
          async *range(after, upTo) {
            yield { events: log.filter(({ position }) => position > after), reached: upTo };
          },
        },
      },
      readModels: {
        async *all(_projection, { where }) {
          for (const one of documents) if (one.status === where['status']) yield one as never;
        },
        get: async (_projection, id) => (documents.find((one) => one.id === id) ?? null) as never,
      },
    },
    new Set(leftBehind),
    new AbortController().signal,
  );
}

const startable = (runs: OpenRuns) => [...runs.startable()].map(({ runId }) => runId);
const running = (runs: OpenRuns) => [...runs.runningOn('here')].map(({ runId }) => runId);

test('what the read model has not handled is found on the log', async () => {
  const known = [
    document('a', 'queued', { queuedPosition: '1' }),
    document('b', 'running', { queuedPosition: '2', nodeId: 'here' }),
    document('c', 'running', { queuedPosition: '3', nodeId: 'elsewhere' }),
  ];
  const log = [
    started(5, 'a'),
    finished(6, 'b'),
    queued(7, 'd'),
    opened(8, 'd'),
    queued(9, 'e'),
    opened(10, 'e'),
  ];
  const runs = await openRuns({ runs: 4, execution: 4 }, known, [...log, started(11, 'e')]);
  expect(running(runs)).toEqual(['a', 'e']);
  expect(startable(runs)).toEqual(['d']);
});

test('a run whose stream was opened is started now, also where the saga does not know that it did', async () => {
  const log = [queued(1, 'a'), queued(2, 'b'), queued(3, 'c'), opened(4, 'b')];
  const known = ['a', 'b', 'c'].map((id, i) => document(id, 'queued', { queuedPosition: `${i + 1}` }));
  expect(startable(await openRuns({ runs: 4, execution: 1 }, known, log))).toEqual(['a', 'b']);
  expect(startable(await openRuns({ runs: 0, execution: 4 }, [], log))).toEqual(['b']);
});

test('only what is known to be over is over, unless all runs are known', async () => {
  const known = [
    document('a', 'succeeded', { finishedAt: 'then' }),
    document('b', 'queued', { queuedPosition: '1' }),
  ];
  const log = [started(3, 'b'), queued(4, 'c'), finished(5, 'c')];
  const partly = await openRuns({ runs: 2, execution: 2 }, known, log, ['c']);
  const answers = await Promise.all(['a', 'b', 'c', 'unknown'].map((id) => partly.isOver(id)));
  expect(answers).toEqual([true, false, true, false]);
  const fully = await openRuns({ runs: 5, execution: 5 }, known, log);
  expect(await fully.isOver('unknown')).toBe(true);
});

test('an event that cannot be read is passed over, and counted where it is about runs', async () => {
  const log = [
    recorded(1, 'AgentUpdated', null),
    recorded(2, 'RunStarted', null),
    queued(3, 'a'),
    opened(4, 'a'),
  ];
  const runs = await openRuns({ runs: 0, execution: 0 }, [], log);
  expect({ count: runs.unreadCount, first: runs.firstUnread?.position }).toEqual({ count: 1, first: 2n });
  expect(startable(runs)).toEqual(['a']);
});
