import {
  cancelledWakeup,
  deferred,
  finished,
  finishedUnstarted,
  hoursLater,
  joinedDeferred,
  joinedRun,
  queued,
  queuedRun,
  requested,
  runningRun,
  skipped,
  started,
  waitingWakeup,
} from '../../../test/support/agent-history';
import { projected, recordAll } from '../../../test/support/projected';
import type { AgentEvent } from '../../agents/domain/agent.events';
import type { WakeupDocument } from './wakeups.projection';
import { wakeupsProjection } from './wakeups.projection';

type History = (AgentEvent | AgentEvent[])[];

const NOW = '2025-11-23T10:00:00.000Z';

/** Of wakeup 1. */
function wakeupAfter(...history: History): WakeupDocument {
  return projected(wakeupsProjection, recordAll(history.flat())).get('w1')!;
}

test('a receipt holds what was asked, but no hashes', () => {
  const asked = {
    ...({ source: 'automation', triggerDetail: 'ping', requestedByActorType: 'agent' } as const),
    ...{ reason: 'why', payload: { n: 1 }, contextSnapshot: { m: 2 }, idempotencyKey: 'key', keyHash: 'k' },
    ...{ requestedByActorId: 'agent-9', notBefore: null, priority: 3, coalesceKey: 'c', taskKey: 't' },
  };
  const { keyHash: _keyHash, ...request } = asked;
  expect(wakeupAfter(queuedRun(1, asked))).toEqual({
    ...request,
    ...{ id: 'w1', companyId: 'company-1', agentId: 'agent-1', status: 'queued', skipReason: null },
    ...{ runId: 'r1', dueAt: null, deadlineAt: null, requestedAt: NOW, claimedAt: null, finishedAt: null },
    ...{ error: null, requestedPosition: '1', decidedPosition: '2' },
  });
});

test('a queued wakeup follows its run to the end', () => {
  expect(wakeupAfter(queuedRun(1))).toMatchObject({ status: 'queued', runId: 'r1' });
  expect(wakeupAfter(runningRun(1))).toMatchObject({ status: 'claimed', claimedAt: NOW, finishedAt: null });
  expect(wakeupAfter(runningRun(1), finished(1))).toMatchObject({
    ...{
      status: 'completed',
      runId: 'r1',
      claimedAt: NOW,
      finishedAt: NOW,
      error: null,
      decidedPosition: '2',
    },
  });
});

test.each([
  ['succeeded', 'completed'],
  ['failed', 'failed'],
  ['cancelled', 'cancelled'],
  ['timed_out', 'timed_out'],
] as const)('where the run has %s the wakeup is %s', (runStatus, status) => {
  const error = runStatus === 'succeeded' ? null : 'why';
  expect(wakeupAfter(runningRun(1), finished(1, { status: runStatus, error }))).toMatchObject({
    status,
    error,
  });
});

test('a run that was cancelled while it was queued leaves a cancelled wakeup', () => {
  expect(wakeupAfter(queuedRun(1), finishedUnstarted(1, 'cancel'))).toMatchObject({
    ...{ status: 'cancelled', runId: 'r1', claimedAt: null, finishedAt: NOW },
    error: 'Cancelled by control plane',
  });
});

test('a skipped wakeup says why and has no run', () => {
  expect(wakeupAfter(requested(1), skipped(1, 'heartbeat.disabled'))).toMatchObject({
    ...{
      status: 'skipped',
      skipReason: 'heartbeat.disabled',
      runId: null,
      finishedAt: NOW,
      decidedPosition: '2',
    },
  });
});

test('a deferred wakeup is queued when it is released, and answered with its first decision', () => {
  expect(wakeupAfter(waitingWakeup(1))).toMatchObject({
    ...{ status: 'deferred', runId: 'r1', dueAt: null, deadlineAt: hoursLater(24), decidedPosition: '2' },
    finishedAt: null,
  });
  expect(wakeupAfter(waitingWakeup(1), queued(1))).toMatchObject({
    ...{ status: 'queued', runId: 'r1', decidedPosition: '2' },
  });
  expect(wakeupAfter(waitingWakeup(1), queued(1), started(1), finished(1))).toMatchObject({
    ...{ status: 'completed', decidedPosition: '2' },
  });
});

test('a deferred wakeup that is cancelled has no run any more', () => {
  expect(wakeupAfter(waitingWakeup(1), cancelledWakeup(1, 'agent.terminated'))).toMatchObject({
    ...{ status: 'cancelled', runId: null, finishedAt: NOW, error: 'agent.terminated', decidedPosition: '2' },
  });
});

test('a coalesced wakeup stays coalesced, whatever becomes of the run', () => {
  const joined = [requested(1), joinedRun(1, 2)];
  const coalesced = { status: 'coalesced', runId: 'r2', finishedAt: NOW, decidedPosition: '4' };
  expect(wakeupAfter(queuedRun(2), joined)).toMatchObject(coalesced);
  expect(wakeupAfter(queuedRun(2), joined, started(2), finished(2, { status: 'failed' }))).toMatchObject(
    coalesced,
  );
  expect(wakeupAfter(waitingWakeup(2), [requested(1), joinedDeferred(1, 2)])).toMatchObject(coalesced);
});

test('a decision without a request stops the projection', () => {
  expect(() => wakeupAfter(deferred(1))).toThrow('WakeupDeferred of a wakeup that nobody requested');
});

test('every event concerns the wakeup that it names', () => {
  const [recorded] = recordAll([queued(7)]);
  expect(wakeupsProjection.id(recorded!)).toBe('w7');
});
