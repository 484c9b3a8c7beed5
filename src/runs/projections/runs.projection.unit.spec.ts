import {
  cancelledWakeup,
  endRequested,
  expired,
  finished,
  finishedUnstarted,
  joinedDeferred,
  joinedRun,
  queued,
  queuedRun,
  report,
  requested,
  runningRun,
  settlement,
  started,
  waitingWakeup,
} from '../../../test/support/agent-history';
import { projected, recordAll } from '../../../test/support/projected';
import type { AgentEvent } from '../../agents/domain/agent.events';
import type { RunDocument } from './runs.projection';
import { runsProjection } from './runs.projection';

type History = (AgentEvent | AgentEvent[])[];

const NOW = '2025-11-23T10:00:00.000Z';

/** Run 1. */
function runAfter(...history: History): RunDocument {
  return projected(runsProjection, recordAll(history.flat())).get('r1')!;
}

const asked = {
  ...({ source: 'assignment', triggerDetail: 'callback' } as const),
  ...{ priority: 3, coalesceKey: 'c', taskKey: 't' },
};

const unfinished = {
  ...{
    sessionIdAfter: null,
    exitedAt: null,
    finishedAt: null,
    finishedPosition: null,
    exitCode: null,
    signal: null,
  },
  ...{ endCause: null, endRequestedAt: null, error: null, errorCode: null, usage: null, costMicros: null },
  ...{ resultJson: null, log: null, notBefore: null, costSource: null, droppedAs: null },
};

const unclaimed = { startedAt: null, nodeId: null, claimId: null, sessionIdBefore: null };

test('a queued run', () => {
  expect(runAfter(queuedRun(1, asked))).toEqual({
    ...unfinished,
    ...unclaimed,
    ...{
      id: 'r1',
      companyId: 'company-1',
      agentId: 'agent-1',
      status: 'queued',
      wakeupId: 'w1',
      priority: 3,
      coalesceKey: 'c',
    },
    ...{ invocationSource: 'assignment', triggerDetail: 'callback', attempt: 1, retryOfRunId: null },
    ...{ wakeupIds: ['w1'], newestWakeupIds: ['w1'], coalescedCount: 0, queuedAt: NOW, queuedPosition: '2' },
  });
});

test('a running run says who has claimed it', () => {
  const claim = { nodeId: 'node-7', claimId: 'c7', sessionIdBefore: 's1' };
  expect(runAfter(queuedRun(1), started(1, claim))).toMatchObject({
    ...claim,
    status: 'running',
    startedAt: NOW,
  });
});

test('a run that is to end is still running', () => {
  expect(runAfter(runningRun(1), endRequested(1, 'timeout', NOW))).toMatchObject({
    ...{ status: 'running', endCause: 'timeout', endRequestedAt: NOW, finishedAt: null },
  });
});

test('a finished run keeps everything that is known of it', () => {
  const digest = { bytes: 1, sha256: 'x', storedSha256: null };
  const log = { logs: { stdout: digest, stderr: digest }, logBytes: 2, logSha256: 'y', chainHead: 'z' };
  const usage = { inputTokens: 1, outputTokens: 2, cachedInputTokens: 3 };
  const outcome = {
    ...({
      status: 'failed',
      errorCode: 'adapter_failed',
      error: 'why',
      exitCode: 3,
      signal: 'SIGTERM',
    } as const),
    ...({ endCause: null, sessionIdAfter: 's2', exitedAt: NOW, log } as const),
  };
  const said = report({ usage, costMicros: 5, resultJson: { ok: false } });
  const end = finished(1, { ...outcome, report: said, settlement: settlement(5, usage) });
  expect(runAfter(runningRun(1), end)).toMatchObject({
    ...outcome,
    ...{
      usage,
      costMicros: 5,
      costSource: 'reported',
      resultJson: { ok: false },
      finishedAt: NOW,
      finishedPosition: '4',
      claimId: 'c1',
    },
  });
});

test('a run without a report has no usage, no cost and no result', () => {
  expect(runAfter(runningRun(1), finished(1))).toMatchObject({
    usage: null,
    costMicros: null,
    resultJson: null,
  });
});

test('a run that nobody claimed ends without a start', () => {
  expect(runAfter(queuedRun(1), finishedUnstarted(1, 'cancel'))).toMatchObject({
    ...unclaimed,
    ...{ status: 'cancelled', endCause: 'cancel', errorCode: 'cancelled', finishedAt: NOW, exitCode: null },
  });
});

test('a follow-up counts the wakeup that it was made for once', () => {
  const receipts = [
    requested(1),
    joinedRun(1, 9, 'run.running'),
    requested(2),
    joinedRun(2, 9, 'run.running'),
  ];
  const followUp = [queued(1), joinedRun(1, 1, 'run.exited'), joinedRun(2, 1, 'run.exited')];
  expect(runAfter(runningRun(9), receipts, finished(9), followUp)).toMatchObject({
    ...{ wakeupId: 'w1', wakeupIds: ['w1', 'w2'], coalescedCount: 1 },
  });
});

describe('a run that is reserved', () => {
  test('belongs to nobody yet, so that no list has it', () => {
    expect(runAfter(waitingWakeup(1))).toEqual({
      ...unfinished,
      ...unclaimed,
      ...{
        id: 'r1',
        companyId: null,
        agentId: null,
        status: 'reserved',
        wakeupId: null,
        priority: 0,
        coalesceKey: null,
      },
      ...{ invocationSource: null, triggerDetail: null, attempt: 1, retryOfRunId: null },
      ...{
        wakeupIds: ['w1'],
        newestWakeupIds: ['w1'],
        coalescedCount: 0,
        queuedAt: null,
        queuedPosition: null,
      },
    });
  });

  test('is queued with all that joined meanwhile, its own wakeup counted once', () => {
    const joined = [requested(2), joinedDeferred(2, 1)];
    const history = [waitingWakeup(1, asked), joined, queued(1, asked), requested(3), joinedRun(3, 1)];
    expect(runAfter(...history)).toMatchObject({
      ...{ status: 'queued', companyId: 'company-1', agentId: 'agent-1', wakeupId: 'w1', priority: 3 },
      ...{ wakeupIds: ['w1', 'w2', 'w3'], newestWakeupIds: ['w1', 'w2', 'w3'], coalescedCount: 2 },
      ...{ queuedPosition: '5', invocationSource: 'assignment' },
    });
  });

  test.each<['cancelled' | 'failed', AgentEvent]>([
    ['cancelled', cancelledWakeup(1, 'agent.terminated')],
    ['failed', expired(1)],
  ])('never comes when its wakeup is %s, and says so to those that joined', (droppedAs, event) => {
    const joined = [requested(2), joinedDeferred(2, 1)];
    expect(runAfter(waitingWakeup(1), joined, event)).toMatchObject({
      ...{ status: 'reserved', companyId: null, droppedAs },
    });
  });
});

test('of many wakeups the first 100 and the newest 100 are kept, and all are counted', () => {
  const others = Array.from({ length: 149 }, (_, n) => [requested(n + 2), joinedRun(n + 2, 1)]);
  const ids = Array.from({ length: 150 }, (_, n) => `w${n + 1}`);
  const { wakeupIds, newestWakeupIds, coalescedCount } = runAfter(queuedRun(1), ...others);
  expect(wakeupIds).toEqual(ids.slice(0, 100));
  expect(newestWakeupIds).toEqual(ids.slice(50));
  expect(coalescedCount).toBe(149);
});

test.each<[string, AgentEvent]>([
  ['RunStarted', started(1)],
  ['RunEndRequested', endRequested(1, 'cancel')],
  ['RunFinished', finished(1)],
  ['WakeupCoalesced', joinedRun(2, 1)],
])('%s of a run that was never queued stops the projection', (type, event) => {
  expect(() => runAfter(event)).toThrow(`${type} of a run that was never queued`);
});
