import {
  endRequested,
  finished,
  joinedDeferred,
  joinedRun,
  queued,
  queuedRun,
  registered,
  requested,
  runningRun,
  sessionReset,
  started,
  updated,
  waitingWakeup,
} from '../../../test/support/agent-history';
import { asText } from '../../../test/support/as-text';
import { givenFor } from '../../../test/support/given';
import { agentDecider } from './agent.decider';
import type { AgentEvent } from './agent.events';
import type { RegisteredAgent } from './agent.state';
import {
  MAX_CONTEXT_WAKEUPS,
  MAX_KEYS,
  MAX_OPEN_WAKEUPS,
  runOf,
  runningCount,
  wakeupOf,
} from './agent.state';
import { evolveAgent } from './agent.evolve';

type History = (AgentEvent | AgentEvent[])[];

function stateAfter(...history: History): RegisteredAgent {
  return givenFor(agentDecider)(registered({ maxConcurrentRuns: 3 }), ...history).state() as RegisteredAgent;
}

test('the revision is that of the last event folded in', () => {
  expect(agentDecider.initial().revision).toBe(-1);
  expect(stateAfter().revision).toBe(0);
  expect(stateAfter(runningRun(1), sessionReset).revision).toBe(4);
});

test('an update replaces the configuration and counts', () => {
  const state = stateAfter(updated({ maxConcurrentRuns: 7 }));
  expect(state.version).toBe(2);
  expect(state.configuration.runtimeConfig.heartbeat.maxConcurrentRuns).toBe(7);
});

test('an open run tells when it was started, and why it is to end', () => {
  const { runs } = stateAfter(
    queuedRun(1, { coalesceKey: 'a', priority: 4 }),
    started(1),
    endRequested(1, 'pause'),
  );
  expect(runs.get('r1')).toMatchObject({
    ...{ status: 'running', wakeupId: 'w1', coalesceKey: 'a', priority: 4, attempt: 1 },
    ...{ startedRevision: 3, endCause: 'pause', sessionReset: false },
  });
});

test('an open wakeup follows its run', () => {
  const statusAfter = (...history: History) => stateAfter(...history).wakeups.get('w1')?.status;
  expect(statusAfter(queuedRun(1))).toBe('queued');
  expect(statusAfter(runningRun(1))).toBe('claimed');
  expect(statusAfter(runningRun(1), endRequested(1, 'cancel'))).toBe('claimed');
  expect(statusAfter(runningRun(1), finished(1))).toBeUndefined();
  expect(statusAfter(runningRun(2), waitingWakeup(1))).toBe('deferred');
  expect(statusAfter(runningRun(2), waitingWakeup(1), finished(2), queued(1))).toBe('queued');
});

test('a released wakeup waits for nothing any more', () => {
  const history = [...runningRun(2), ...waitingWakeup(1)];
  expect(stateAfter(history).wakeups.get('w1')?.deferral).toMatchObject({ dueAt: null });
  expect(stateAfter(history, finished(2), queued(1)).wakeups.get('w1')?.deferral).toBeNull();
});

test('counts what is running', () => {
  expect(runningCount(stateAfter(runningRun(1), queuedRun(2)))).toBe(1);
});

test('asking for what is not open is a bug', () => {
  expect(() => runOf(stateAfter(), 'r1')).toThrow('run r1 is not open');
  expect(() => wakeupOf(stateAfter(), 'w1')).toThrow('wakeup w1 is not open');
  expect(() => stateAfter(queued(1))).toThrow('a decision without a request before it');
});

describe('the requests that a run stands for', () => {
  test('are its own and those that joined it, waiting or queued', () => {
    const joined = [
      requested(3),
      joinedDeferred(3, 2),
      finished(1),
      queued(2),
      requested(4),
      joinedRun(4, 2),
    ];
    const state = stateAfter(runningRun(1), waitingWakeup(2), joined);
    expect(state.wakeups.get('w2')).toMatchObject({
      requests: [
        { revision: 4, wakeupId: 'w2' },
        { revision: 6, wakeupId: 'w3' },
        { revision: 10, wakeupId: 'w4' },
      ],
      coalescedCount: 2,
    });
  });

  test('are the first and the newest 100 of more', () => {
    const others = Array.from({ length: 150 }, (_, n) => [requested(n + 2), joinedRun(n + 2, 1)]);
    const { requests, coalescedCount } = stateAfter(queuedRun(1), others.flat()).wakeups.get('w1')!;
    expect(coalescedCount).toBe(150);
    expect(requests).toHaveLength(MAX_CONTEXT_WAKEUPS + 1);
    expect(requests[0]).toEqual({ revision: 1, wakeupId: 'w1' });
    const newest = Array.from({ length: MAX_CONTEXT_WAKEUPS }, (_, n) => ({
      revision: 3 + 2 * (50 + n),
      wakeupId: `w${52 + n}`,
    }));
    expect(requests.slice(1)).toEqual(newest);
  });
});

describe('whatever the history, the state keeps', () => {
  const payload = { text: 'x'.repeat(10_000) };

  test('no payload and no context', () => {
    const asked = { payload, contextSnapshot: payload, keyHash: 'k' };
    expect(asText(stateAfter(runningRun(1), waitingWakeup(2, asked)))).not.toContain('xxx');
  });

  test('nothing of what is over', () => {
    const once = stateAfter(runningRun(1), finished(1));
    const often = stateAfter(...Array.from({ length: 500 }, (_, n) => [...runningRun(n), finished(n)]));
    expect({ runs: often.runs, wakeups: often.wakeups, keys: often.keys }).toEqual({
      ...{ runs: once.runs, wakeups: once.wakeups, keys: once.keys },
    });
  });

  test('10,000 keys and 1,000 open wakeups', () => {
    const keys = Array.from({ length: MAX_KEYS + 500 }, (_, n) => requested(n, { keyHash: `k${n}` }));
    const open = Array.from({ length: MAX_OPEN_WAKEUPS }, (_, n) =>
      waitingWakeup(n, { coalesceKey: `k${n}` }),
    );
    const state = stateAfter(keys, open.flat());
    expect(state.keys.size).toBe(MAX_KEYS);
    expect(state.wakeups.size).toBe(MAX_OPEN_WAKEUPS);
  });

  test('less than 10 MB as JSON, even where everything is as large as it can be', () => {
    const state = stateAfter();
    state.revision = 100_000_000;
    const evolve = (...events: AgentEvent[]) => events.forEach((event) => evolveAgent(state, event));
    const texts = { coalesceKey: 'k'.repeat(200), taskKey: 't'.repeat(200), reason: 'r'.repeat(2_000) };
    const asked = { ...texts, triggerDetail: 'callback', source: 'assignment' } as const;
    for (let n = 0; n < MAX_KEYS; n += 1) {
      const hash = `${n}`.padStart(64, '0');
      const { type, data } = requested(n, { ...asked, keyHash: hash, requestHash: hash });
      evolve({ type, data: { ...data, wakeupId: hash.slice(-36) } });
    }
    evolve(...queuedRun(1, asked), started(1), endRequested(1, 'terminate'));
    for (let n = 2; n < MAX_CONTEXT_WAKEUPS + 9; n += 1) evolve(requested(n), joinedRun(n, 1));
    const openBytes = asText([state.runs, state.wakeups]).length;
    expect(asText(state).length + (MAX_OPEN_WAKEUPS - 1) * openBytes).toBeLessThan(10_000_000);
  });
});
