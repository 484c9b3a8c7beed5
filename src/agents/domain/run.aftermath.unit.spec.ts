import {
  deferred,
  delayedWakeup,
  endRequested,
  finish,
  finished,
  finishedUnstarted,
  hoursLater,
  joinedDeferred,
  joinedRun,
  NOW,
  paused,
  queued,
  queuedRun,
  registered,
  report,
  requested,
  retried,
  runningRun,
  secondsLater,
  start,
  started,
  terminated,
  updated,
  waitingWakeup,
  wake,
} from '../../../test/support/agent-history';
import { givenFor } from '../../../test/support/given';
import { agentDecider } from './agent.decider';
import type { AgentEvent, RunFinished, RunQueued } from './agent.events';
import { endCauses } from './agent.events';
import type { RegisteredAgent } from './agent.state';

const given = givenFor(agentDecider);

const retry = { maxAttempts: 4, backoffSec: 10 };
const agent = registered({ retry });
const running = [agent, ...runningRun(1)];
const a = { coalesceKey: 'a' };

const failure = {
  ...({ status: 'failed', errorCode: 'adapter_failed', error: 'Adapter failed' } as const),
  exitCode: 1,
};
const failedOnce = finished(1, { ...failure, willRetry: true });
const exitedWith1 = { exitCode: 1 };

/** Run 1 as tried again, as run `n`. */
function nextAttempt(
  n: number | `r${number}-next`,
  parts: Partial<RunQueued['data']> & { notBefore?: string } = {},
): RunQueued {
  const runId = typeof n === 'number' ? `r${n}` : n;
  return retried(1, 1, { notBefore: secondsLater(10), ...parts, runId });
}

function joinedRetry(n: number, runId: string): AgentEvent {
  const { type, data } = joinedRun(n, 1, 'retry.waiting');
  return { type, data: { ...data, runId } };
}

describe('a run that failed', () => {
  test('is tried again after a pause, for what was asked', () => {
    const asked = { source: 'assignment', triggerDetail: 'ping', priority: 3, ...a, taskKey: 't' } as const;
    const { invocationSource, triggerDetail, taskKey, ...frame } = queued(1, asked).data;
    given(agent, queuedRun(1, asked), started(1, { taskKey }))
      .when(finish(1, exitedWith1))
      .then(
        finished(1, { ...failure, willRetry: true, invocationSource, triggerDetail, taskKey }),
        nextAttempt('r1-next', {
          ...frame,
          invocationSource,
          triggerDetail,
          taskKey,
          attempt: 2,
          retryOfRunId: 'r1',
          notBefore: secondsLater(10),
        }),
      );
  });

  test('is not tried again without a policy for it', () => {
    given(registered(), runningRun(1)).when(finish(1, exitedWith1)).then(finished(1, failure));
  });

  test('is tried again by the policy in force', () => {
    given(registered(), runningRun(1), updated({ retry }))
      .when(finish(1, exitedWith1))
      .then(failedOnce, nextAttempt('r1-next'));
    given(...running, updated({}))
      .when(finish(1, exitedWith1))
      .then(finished(1, failure));
  });

  test.each([
    [1, 0, 10],
    [1, 1, 15],
    [1, 0.5, 12.5],
    [2, 0, 20],
    [2, 1, 30],
    [3, 0, 40],
  ])('for the %i. time waits twice as long, jittered by %d: %d s', (attempt, jitter, seconds) => {
    const attempts = [agent, ...queuedRun(1), retried(1, 1, { notBefore: NOW, attempt, runId: 'r1' })];
    const history = attempt === 1 ? running : [...attempts, started(1, { attempt })];
    given(...history)
      .when(finish(1, exitedWith1, { jitter }))
      .then(failedOnce, nextAttempt('r1-next', { attempt: attempt + 1, notBefore: secondsLater(seconds) }));
  });

  test('waits for a day at most, and half of that', () => {
    const slow = [registered({ retry: { maxAttempts: 2, backoffSec: 1e6 } }), ...runningRun(1)];
    given(...slow)
      .when(finish(1, exitedWith1, { jitter: 1 }))
      .then(failedOnce, nextAttempt('r1-next', { notBefore: hoursLater(36) }));
  });

  test('timed out, it is tried again as well', () => {
    const timedOut = { ...endCauses.timeout, endCause: 'timeout' } as const;
    given(...running, endRequested(1, 'timeout'))
      .when(finish(1))
      .then(finished(1, { ...timedOut, willRetry: true }), nextAttempt('r1-next'));
  });

  test('while its agent is paused it is tried again, and waits for the return', () => {
    given(...running, paused)
      .when(finish(1, exitedWith1))
      .then(finished(1, { ...failedOnce.data, agentStatus: 'paused' }), nextAttempt('r1-next'));
    given(...running, failedOnce, nextAttempt(2), paused)
      .when(start(2, { at: hoursLater(1) }))
      .thenRefused('run_not_startable', { because: 'paused', until: null });
  });
});

describe('never tried again', () => {
  test.each(['cancel', 'pause', 'terminate', 'interrupt', 'budget'] as const)('what ended by %s', (cause) => {
    given(...running, endRequested(1, cause))
      .when(finish(1, exitedWith1))
      .then(finished(1, { ...endCauses[cause], exitCode: 1, endCause: cause }));
  });

  test.each([null, 'cancel', 'timeout'] as const)(
    'what could not be killed, to be ended by %s',
    (endCause) => {
      const verdict = { errorCode: 'kill_failed', error: 'still alive' } as const;
      given(...running, endCause ? [endRequested(1, endCause)] : [])
        .when(finish(1, verdict))
        .then(finished(1, { status: 'failed', ...verdict, endCause }));
    },
  );

  test('what succeeded', () => {
    given(...running)
      .when(finish(1))
      .then(finished(1));
  });

  test('a run of a terminated agent', () => {
    given(...running, terminated)
      .when(finish(1, exitedWith1))
      .then(finished(1, { ...failure, agentStatus: 'terminated' }));
  });

  test('a run that nobody had claimed', () => {
    given(agent, queuedRun(1))
      .when({ type: 'RequestRunEnd', at: NOW, runId: 'r1', cause: 'timeout' })
      .then(finishedUnstarted(1, 'timeout'));
  });

  test('the last attempt: its outcome is that of the wakeup', () => {
    const last = [agent, ...queuedRun(1), retried(1, 1, { notBefore: NOW, attempt: 4, runId: 'r1' })];
    given(...last, started(1, { attempt: 4 }))
      .when(finish(1, exitedWith1))
      .then(finished(1, failure));
  });
});

describe('while a retry waits', () => {
  const waiting = [...running, failedOnce, nextAttempt(2)];

  test('its wakeup stays claimed, for the run that comes', () => {
    const { wakeups, runs } = given(...waiting).state() as RegisteredAgent;
    expect([...wakeups.values()]).toMatchObject([{ wakeupId: 'w1', status: 'claimed', runId: 'r2' }]);
    expect([...runs.values()]).toMatchObject([{ runId: 'r2', status: 'queued', attempt: 2 }]);
  });

  test('it starts when its time has come', () => {
    const early = { because: 'not_before', until: secondsLater(10) };
    given(...waiting)
      .when(start(2, { at: secondsLater(9.999) }))
      .thenRefused('run_not_startable', early);
    given(...waiting)
      .when(start(2, { at: secondsLater(10) }))
      .then(started(2, { wakeupId: 'w1', attempt: 2, startedAt: secondsLater(10), lastHeartbeatAt: NOW }));
  });

  test('later wakeups of its key join it, others do not', () => {
    given(...waiting)
      .when(wake(3))
      .then(requested(3), joinedRun(3, 2, 'retry.waiting'));
    given(...waiting)
      .when(wake(3, a))
      .then(queuedRun(3, a));
    given(...waiting, runningRun(4, a))
      .when(wake(3))
      .then(requested(3), joinedRun(3, 2, 'retry.waiting'));
    given(...waiting, updated({ retry, whenBusy: 'enqueue' }))
      .when(wake(3))
      .then(queuedRun(3));
  });

  test('a delayed wakeup joins it when it is due', () => {
    given(...waiting, delayedWakeup(3, secondsLater(5)))
      .when({ type: 'HandleDue', at: secondsLater(5), companyPaused: false, timer: null })
      .then(joinedRun(3, 2, 'retry.waiting'));
  });

  test('what joined is still there at the next attempt', () => {
    const twice = [
      ...[...waiting, requested(3), joinedRun(3, 2, 'retry.waiting')],
      started(2, { wakeupId: 'w1', attempt: 2 }),
    ];
    given(...twice)
      .when(finish(2, exitedWith1))
      .then(
        finished(2, { ...failure, wakeupId: 'w1', willRetry: true }),
        nextAttempt('r2-next', {
          ...{ attempt: 3, retryOfRunId: 'r2', notBefore: secondsLater(20) },
          inherited: { wakeupIds: ['w3'], coalescedCount: 1 },
        }),
      );
  });

  test('cancelled, its wakeup is over', () => {
    const end = finishedUnstarted(2, 'cancel', { wakeupId: 'w1' });
    given(...waiting)
      .when({ type: 'CancelRun', at: NOW, runId: 'r2' })
      .then(end);
    expect(given(...waiting, end).state()).toMatchObject({ runs: new Map(), wakeups: new Map() });
  });
});

describe('what waited for the run that failed', () => {
  const release = { type: 'ReleaseDeferredWakeups', at: NOW, companyPaused: false } as const;
  const joined = [requested(3), joinedDeferred(3, 2)];
  const decided = [failedOnce, nextAttempt(2), joinedRetry(2, 'r2')] as const;

  test('is absorbed by the retry, which takes the run that was reserved for it', () => {
    given(...running, waitingWakeup(2), joined)
      .when(finish(1, exitedWith1))
      .then(...decided);
  });

  test('with all that had joined it, and is not released beside it', () => {
    const history = [...running, ...waitingWakeup(2), ...joined, ...decided];
    const { wakeups } = given(...history).state() as RegisteredAgent;
    expect([...wakeups.values()]).toMatchObject([
      {
        ...{ wakeupId: 'w1', coalescedCount: 2 },
        requests: [{ wakeupId: 'w1' }, { wakeupId: 'w2' }, { wakeupId: 'w3' }],
      },
    ]);
    given(...history)
      .when(release)
      .thenNothing();
  });

  test('is left alone where it has another key, or waits for its time', () => {
    for (const other of [waitingWakeup(2, a), delayedWakeup(2, hoursLater(1))]) {
      given(...running, other)
        .when(finish(1, exitedWith1))
        .then(failedOnce, nextAttempt('r1-next'));
    }
  });

  test('is released as ever where there is no retry', () => {
    const succeeded: RunFinished = finished(1);
    given(...running, waitingWakeup(2))
      .when(finish(1))
      .then(succeeded);
    given(...running, waitingWakeup(2), succeeded)
      .when(release)
      .then(queued(2));
  });

  test('came after the process had exited: the retry takes it in', () => {
    const policy = { retry, whenBusy: 'coalesce' } as const;
    const late = [requested(2, { at: secondsLater(2) }), joinedRun(2, 1, 'run.running')];
    const early = [requested(3), joinedRun(3, 1, 'run.running')];
    const exitedAt = secondsLater(1);
    given(registered(policy), runningRun(1), early, late)
      .when(finish(1, { exitCode: 1, exitedAt }))
      .then(
        finished(1, { ...failure, willRetry: true, exitedAt }),
        nextAttempt('r1-next'),
        joinedRetry(2, 'r1-next'),
      );
  });
});

test('a session that a failed attempt left is that of the next', () => {
  const said = report({ sessionId: 's1' });
  const over = finished(1, { ...failure, willRetry: true, sessionIdAfter: 's1', report: said });
  given(...running)
    .when(finish(1, { exitCode: 1, report: said }))
    .then(over, nextAttempt('r1-next'));
  given(...running, over, nextAttempt(2, { notBefore: NOW }))
    .when(start(2))
    .then(started(2, { wakeupId: 'w1', attempt: 2, sessionIdBefore: 's1', lastHeartbeatAt: NOW }));
});

test('deferring is not forgotten beside a retry of another key', () => {
  const history = [
    registered({ retry, maxConcurrentRuns: 1 }),
    ...runningRun(1, a),
    requested(2),
    deferred(2),
  ];
  const { wakeups } = given(...history, failedOnce, nextAttempt(3, a)).state() as RegisteredAgent;
  expect([...wakeups.keys()]).toEqual(['w1', 'w2']);
});
