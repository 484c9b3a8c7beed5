import {
  deferredUntil,
  due,
  finished,
  hoursLater,
  NOW,
  queued,
  queuedRun,
  registered,
  report,
  requested,
  retried,
  runningRun,
  secondsLater,
  sessionReset,
  sessionResetOf,
  start,
  started,
  updated,
  waitingWakeup,
  wake,
} from '../../../test/support/agent-history';
import { givenFor } from '../../../test/support/given';
import { agentDecider } from './agent.decider';

const given = givenFor(agentDecider);

const until = hoursLater(5);
const limited = (retryNotBefore = until) => finished(1, { report: report({ retryNotBefore }) });
const inWindow = [registered(), runningRun(1), limited()];
const waiting = deferredUntil(2, until, { reason: 'quota.window' });
const release = { type: 'ReleaseDeferredWakeups', at: NOW, companyPaused: false } as const;

test('a wakeup is held back until the time that the agent has said', () => {
  given(...inWindow)
    .when(wake(2))
    .then(requested(2), waiting);
  given(...inWindow)
    .when(wake(2, { at: until }))
    .then(requested(2, { at: until }), queued(2));
});

test('one that is not to run before a later time waits for that', () => {
  const later = hoursLater(7);
  given(...inWindow)
    .when(wake(2, { notBefore: later }))
    .then(requested(2, { notBefore: later }), deferredUntil(2, later));
});

test('one whose own time comes first is held back again when it has come', () => {
  const earlier = hoursLater(1);
  given(...inWindow, requested(2, { notBefore: earlier }), deferredUntil(2, earlier))
    .when(due(earlier))
    .then(waiting);
});

test('when the time has come it is decided anew', () => {
  given(...inWindow, requested(2), waiting)
    .when(due(hoursLater(4)))
    .thenNothing();
  given(...inWindow, requested(2), waiting)
    .when(due(until))
    .then(queued(2));
});

test('what is queued already, a retry or a follow-up is not started before', () => {
  const refusal = { because: 'quota.window', until };
  given(registered({ whenBusy: 'enqueue' }), runningRun(1), queuedRun(2), limited())
    .when(start(2))
    .thenRefused('run_not_startable', refusal);
  const retry = retried(2, 1, { notBefore: secondsLater(1) });
  const failed = { status: 'failed', willRetry: true, report: report({ retryNotBefore: until }) } as const;
  given(registered(), runningRun(1), finished(1, failed), retry)
    .when(start(2, { at: hoursLater(1) }))
    .thenRefused('run_not_startable', refusal);
  given(registered(), runningRun(1), waitingWakeup(2), limited()).when(release).then(queued(2));
  given(registered(), runningRun(1), waitingWakeup(2), limited(), queued(2))
    .when(start(2, { at: until }))
    .then(started(2, { startedAt: until, lastHeartbeatAt: NOW }));
});

test('the latest time counts, and none for longer than a month', () => {
  const second = { coalesceKey: 'k' };
  const earlier = finished(2, { report: report({ retryNotBefore: hoursLater(1) }) });
  given(registered(), runningRun(1), runningRun(2, second), limited(), earlier)
    .when(wake(3))
    .then(requested(3), deferredUntil(3, until, { reason: 'quota.window' }));
  const longest = hoursLater(31 * 24);
  given(registered(), runningRun(1), limited('9999-01-01T00:00:00.000Z'))
    .when(wake(2))
    .then(requested(2), deferredUntil(2, longest, { reason: 'quota.window' }));
  given(registered(), runningRun(1), limited(hoursLater(-1)))
    .when(wake(2))
    .then(requested(2), queued(2));
});

test('a reset of the session takes it back, and another adapter configuration; nothing else does', () => {
  given(...inWindow, requested(2), waiting)
    .when(release)
    .thenNothing();
  given(...inWindow, requested(2), waiting, sessionReset)
    .when(release)
    .then(queued(2));
  given(...inWindow, requested(2), waiting, updated({}, ['adapterConfig']))
    .when(release)
    .then(queued(2));
  given(...inWindow, requested(2), waiting, sessionResetOf('task'))
    .when(release)
    .thenNothing();
  given(...inWindow, requested(2), waiting, updated({}, ['runtimeConfig']))
    .when(release)
    .thenNothing();
});
