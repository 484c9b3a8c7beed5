import {
  AGENT,
  COMPANY,
  NOW,
  endRequested,
  finish,
  finished,
  finishedUnstarted,
  hoursLater,
  paused,
  queuedRun,
  registered,
  report,
  resumed,
  runningRun,
  sessionReset,
  start,
  started,
  terminated,
  updated,
  waitingWakeup,
} from '../../../test/support/agent-history';
import { givenFor } from '../../../test/support/given';
import { agentDecider } from './agent.decider';
import type { EndCause, LogSummary, RunFinished } from './agent.events';
import { endCauses } from './agent.events';
import type { WhenBusy } from './policy';

const given = givenFor(agentDecider);

const running = [registered(), ...runningRun(1)];
const a = { coalesceKey: 'a' };
const b = { coalesceKey: 'b' };
const causes = Object.keys(endCauses) as EndCause[];

function cancel(n: number, at = NOW) {
  return { type: 'CancelRun', at, runId: `r${n}` } as const;
}

function requestEnd(n: number, cause: EndCause, at = NOW) {
  return { type: 'RequestRunEnd', at, runId: `r${n}`, cause } as const;
}

describe('starting', () => {
  test('claims a queued run for a node, with the limits of now', () => {
    const limits = { timeoutSec: 60, silenceTimeoutSec: 30, graceSec: 5, logQuotaBytes: 1_000 };
    given(registered(limits), queuedRun(1))
      .when(start(1, { nodeId: 'node-2', claimId: 'x' }))
      .then({
        type: 'RunStarted',
        data: {
          ...{ companyId: COMPANY, agentId: AGENT, runId: 'r1', wakeupId: 'w1' },
          ...{ nodeId: 'node-2', claimId: 'x', attempt: 1, sessionIdBefore: null, adapterType: 'process' },
          ...{ invocationSource: 'on_demand', triggerDetail: null, lastHeartbeatAt: null },
          ...{ startedAt: NOW, taskKey: null, configurationRevision: 0, limits },
        },
      });
    given(registered(), queuedRun(1), updated(limits))
      .when(start(1))
      .then(started(1, { limits, configurationRevision: 3 }));
  });

  test('brings the session along', () => {
    const history = [...running, finished(1, { sessionIdAfter: 's1' }), ...queuedRun(2)];
    given(...history)
      .when(start(2))
      .then(started(2, { sessionIdBefore: 's1', lastHeartbeatAt: NOW }));
  });

  test('again, by the same claim, changes nothing', () => {
    given(...running)
      .when(start(1))
      .thenNothing();
    given(...running, paused)
      .when(start(1))
      .thenNothing();
  });

  test('what another claim has is refused', () => {
    given(...running)
      .when(start(1, { nodeId: 'node-2', claimId: 'c9' }))
      .thenRefused('run_not_startable', { because: 'claimed', until: null });
  });

  test('what is not open is refused', () => {
    const notOpen = ['run_not_startable', { because: 'not_open', until: null }] as const;
    given(registered())
      .when(start(1))
      .thenRefused(...notOpen);
    given(...running, finished(1))
      .when(start(1))
      .thenRefused(...notOpen);
    given(registered(), queuedRun(1), finishedUnstarted(1, 'cancel'))
      .when(start(1))
      .thenRefused(...notOpen);
    given(...running, waitingWakeup(2))
      .when(start(2))
      .thenRefused(...notOpen);
  });

  test('a run of a paused or terminated agent is refused, and of a resumed one not', () => {
    const history = [registered(), ...queuedRun(1), paused];
    given(...history)
      .when(start(1))
      .thenRefused('run_not_startable', { because: 'paused', until: null });
    given(...history, resumed)
      .when(start(1))
      .then(started(1));
    given(registered(), queuedRun(1), terminated)
      .when(start(1))
      .thenRefused('run_not_startable', { because: 'terminated', until: null });
  });

  describe('on another node than the agent ran on before', () => {
    const ranHere = [...running, finished(1)];
    const then = { lastHeartbeatAt: NOW };
    const elsewhere = { nodeId: 'node-2', claimId: 'c2' };
    const isPlaced = { because: 'placed_elsewhere', until: null, homeNodeId: 'node-1' };

    test('is refused while its policy places it', () => {
      given(...ranHere, queuedRun(2))
        .when(start(2, elsewhere))
        .thenRefused('run_not_startable', isPlaced);
      given(...ranHere, queuedRun(2))
        .when(start(2))
        .then(started(2, then));
    });

    test.each<[string, Parameters<typeof registered>[0], Parameters<typeof start>[1]]>([
      ['its policy lets it go', { placement: 'any' }, {}],
      ['its adapter leaves nothing there', {}, { freeAdapterTypes: ['process'] }],
      ['nobody knows that one any more', {}, { goneNodeId: 'node-1' }],
    ])('is no matter where %s', (_what, policy, parts) => {
      given(registered(policy), ...runningRun(1), finished(1), ...queuedRun(2))
        .when(start(2, { ...elsewhere, ...parts }))
        .then(started(2, { ...elsewhere, ...then }));
    });

    test('makes that one its home', () => {
      const moved = [started(2, elsewhere), finished(2, elsewhere)];
      given(...ranHere, ...queuedRun(2), ...moved, ...queuedRun(3))
        .when(start(3))
        .thenRefused('run_not_startable', { ...isPlaced, homeNodeId: 'node-2' });
    });
  });

  describe('beyond the policy is refused', () => {
    const noSlot = ['run_not_startable', { because: 'no_free_slot', until: null }] as const;

    test('one at a time', () => {
      given(registered(), queuedRun(1, a), queuedRun(2, b), started(1))
        .when(start(2))
        .thenRefused(...noSlot);
    });

    test('as many as the policy allows', () => {
      const history = [registered({ maxConcurrentRuns: 2 }), ...runningRun(1, a), ...queuedRun(2, b)];
      given(...history)
        .when(start(2))
        .then(started(2));
      given(...history, started(2), queuedRun(3))
        .when(start(3))
        .thenRefused(...noSlot);
      given(...history, started(2), queuedRun(3), finished(1, { lastRunning: false }))
        .when(start(3))
        .then(started(3, { lastHeartbeatAt: NOW }));
    });

    test('as the policy is now', () => {
      const history = [registered({ maxConcurrentRuns: 2 }), ...runningRun(1, a), ...queuedRun(2, b)];
      given(...history, updated({ maxConcurrentRuns: 1 }))
        .when(start(2))
        .thenRefused(...noSlot);
      given(registered(), runningRun(1, a), queuedRun(2, b), updated({ maxConcurrentRuns: 2 }))
        .when(start(2))
        .then(started(2, { configurationRevision: 6 }));
    });

    test('until a run is over, not until it is asked to end', () => {
      given(...running, endRequested(1, 'cancel'), queuedRun(2, a))
        .when(start(2))
        .thenRefused(...noSlot);
    });

    test.each<WhenBusy>(['followUp', 'enqueue'])('two of one key, also under %s', (whenBusy) => {
      const policy = { maxConcurrentRuns: 5, whenBusy };
      given(registered(policy), queuedRun(1, a), queuedRun(2, a), started(1))
        .when(start(2))
        .thenRefused(...noSlot);
      given(registered(policy), queuedRun(1), queuedRun(2), started(1))
        .when(start(2))
        .thenRefused(...noSlot);
      given(registered(policy), queuedRun(1), queuedRun(2, a), started(1)).when(start(2)).then(started(2));
    });
  });
});

describe('cancelling', () => {
  test('ends a queued run at once', () => {
    given(registered(), queuedRun(1))
      .when(cancel(1))
      .then({
        type: 'RunFinished',
        data: {
          ...{ companyId: COMPANY, agentId: AGENT, runId: 'r1', wakeupId: 'w1', nodeId: null, claimId: null },
          ...{ status: 'cancelled', errorCode: 'cancelled', error: 'Cancelled by control plane' },
          ...{ exitCode: null, signal: null, exitedAt: null, endCause: 'cancel', lastRunning: false },
          ...{ sessionIdBefore: null, sessionIdAfter: null, sessionReset: false, report: null, log: null },
          ...{ startedAt: null, finishedAt: NOW, taskKey: null, agentStatus: null },
          ...{ invocationSource: 'on_demand', triggerDetail: null },
          ...{ willRetry: false, settlement: null },
        },
      });
  });

  test('keeps the session that a run never had', () => {
    const history = [...running, finished(1, { sessionIdAfter: 's1' }), ...queuedRun(2)];
    expect(given(...history, finishedUnstarted(2, 'cancel')).state()).toMatchObject({
      sessions: { own: 's1' },
    });
  });

  test('asks a running run to end, once', () => {
    given(...running)
      .when(cancel(1, hoursLater(1)))
      .then(endRequested(1, 'cancel', hoursLater(1)));
    given(...running, endRequested(1, 'cancel'))
      .when(cancel(1))
      .thenNothing();
  });

  test('what is to end for another reason changes nothing', () => {
    given(...running, endRequested(1, 'timeout'))
      .when(cancel(1))
      .thenNothing();
  });

  test('what is final or unknown changes nothing', () => {
    given(...running, finished(1))
      .when(cancel(1))
      .thenNothing();
    given(registered(), queuedRun(1), finishedUnstarted(1, 'cancel')).when(cancel(1)).thenNothing();
    given(registered()).when(cancel(1)).thenNothing();
  });

  test('a run of a paused agent is possible', () => {
    given(registered(), queuedRun(1), paused).when(cancel(1)).then(finishedUnstarted(1, 'cancel'));
  });
});

describe('asking for an end', () => {
  test.each(causes)('by %s is recorded with its time', (cause) => {
    given(...running)
      .when(requestEnd(1, cause, hoursLater(2)))
      .then(endRequested(1, cause, hoursLater(2)));
  });

  test.each(causes)('by %s comes too late after another', (cause) => {
    for (const first of causes) {
      given(...running, endRequested(1, first))
        .when(requestEnd(1, cause))
        .thenNothing();
    }
  });

  test('ends a queued run at once, with that cause', () => {
    given(registered(), queuedRun(1)).when(requestEnd(1, 'budget')).then(finishedUnstarted(1, 'budget'));
  });

  test('of a run that is final or unknown changes nothing', () => {
    given(...running, finished(1))
      .when(requestEnd(1, 'timeout'))
      .thenNothing();
    given(registered()).when(requestEnd(1, 'timeout')).thenNothing();
  });

  test('the first cause stands, even if the stream had two', () => {
    given(...running, endRequested(1, 'silence', NOW), endRequested(1, 'cancel', hoursLater(1)))
      .when(finish(1))
      .then(finished(1, { ...endCauses.silence, endCause: 'silence' }));
    const history = [...running, endRequested(1, 'silence', NOW), endRequested(1, 'cancel', hoursLater(1))];
    const state = given(...history).state();
    expect('runs' in state && state.runs.get('r1')).toMatchObject({
      endCause: 'silence',
      endRequestedAt: NOW,
    });
  });
});

describe('finishing', () => {
  type Verdict = Pick<RunFinished['data'], 'status' | 'errorCode' | 'error'>;
  const failed = (errorCode: string, error: string): Verdict => ({ status: 'failed', errorCode, error });
  const succeeded: Verdict = { status: 'succeeded', errorCode: null, error: null };
  type Outcome = Parameters<typeof finish>[1];

  /** The outcomes of the specification, in its order: a row that holds wins over all after it. */
  const rows: [string, EndCause | null, Outcome, Verdict][] = [
    [
      'a process that could not be killed',
      'cancel',
      { errorCode: 'kill_failed', error: 'still alive' },
      failed('kill_failed', 'still alive'),
    ],
    [
      'cancelled',
      'cancel',
      {},
      { status: 'cancelled', errorCode: 'cancelled', error: 'Cancelled by control plane' },
    ],
    [
      'paused',
      'pause',
      {},
      { status: 'cancelled', errorCode: 'cancelled', error: 'Cancelled due to agent pause' },
    ],
    [
      'terminated',
      'terminate',
      {},
      { status: 'cancelled', errorCode: 'cancelled', error: 'Cancelled due to agent termination' },
    ],
    ['interrupted', 'interrupt', {}, endCauses.interrupt],
    ['out of budget', 'budget', {}, endCauses.budget],
    ['timed out', 'timeout', {}, { status: 'timed_out', errorCode: 'timeout', error: 'Timed out' }],
    [
      'silent',
      'silence',
      {},
      { status: 'timed_out', errorCode: 'silence_timeout', error: 'Timed out: no output' },
    ],
    ['an ending before a failure', 'cancel', { exitCode: 1 }, endCauses.cancel],
    [
      'an ending before a lost process',
      'timeout',
      { errorCode: 'process_lost', error: 'lost' },
      endCauses.timeout,
    ],
    [
      'an ending before what was reported',
      'cancel',
      { report: report({ errorMessage: 'no' }) },
      endCauses.cancel,
    ],
    [
      'spawn failed',
      null,
      { exitCode: null, errorCode: 'spawn_failed', error: 'ENOENT' },
      failed('spawn_failed', 'ENOENT'),
    ],
    [
      'a failure of ours, though it exited with 0',
      null,
      { errorCode: 'spool_failed', error: 'x' },
      failed('spool_failed', 'x'),
    ],
    [
      'a failure of ours before what was reported',
      null,
      { errorCode: 'process_lost', error: 'lost', report: report({ errorMessage: 'no' }) },
      failed('process_lost', 'lost'),
    ],
    [
      'an error message, though it exited with 0',
      null,
      { report: report({ errorMessage: 'out of tokens' }) },
      failed('adapter_failed', 'out of tokens'),
    ],
    [
      'an error message with an exit code',
      null,
      { exitCode: 3, report: report({ errorMessage: 'out of tokens' }) },
      failed('adapter_failed', 'out of tokens'),
    ],
    ['exited with 1', null, { exitCode: 1 }, failed('adapter_failed', 'Adapter failed')],
    [
      'exited with 143',
      null,
      { exitCode: 143, signal: 'SIGTERM' },
      failed('adapter_failed', 'Adapter failed'),
    ],
    ['exited with 0', null, {}, succeeded],
    ['no exit code at all', null, { exitCode: null }, succeeded],
    ['an empty error message', null, { report: report({ errorMessage: '' }) }, succeeded],
  ];

  test.each(rows)('%s', (_name, endCause, outcome, verdict) => {
    const history = endCause ? [...running, endRequested(1, endCause)] : running;
    const { exitCode = 0, signal = null } = outcome ?? {};
    given(...history)
      .when(finish(1, outcome))
      .then(finished(1, { ...verdict, exitCode, signal, endCause, report: outcome?.report ?? null }));
  });

  test('keeps what was reported and what is known of the log', () => {
    const digest = { bytes: 3, sha256: 'aa', storedSha256: null };
    const log: LogSummary = {
      logs: { stdout: digest, stderr: digest },
      ...{ logBytes: 6, logSha256: 'bb', chainHead: 'cc' },
    };
    const said = report({ costMicros: 12, resultJson: { ok: true }, provider: 'p', model: 'm' });
    given(...running)
      .when(finish(1, { log, report: said, exitedAt: hoursLater(1) }))
      .then(finished(1, { log, report: said, exitedAt: hoursLater(1) }));
  });

  test('again changes nothing, whoever says it', () => {
    given(...running, finished(1))
      .when(finish(1, { exitCode: 1 }))
      .thenNothing();
    given(...running, finished(1))
      .when(finish(1, {}, { nodeId: 'node-2', claimId: 'c9' }))
      .thenNothing();
  });

  test('by a claim that does not have the run is refused', () => {
    for (const claim of [{ claimId: 'c9' }, { nodeId: 'node-2' }, { nodeId: 'node-2', claimId: 'c9' }]) {
      given(...running)
        .when(finish(1, {}, claim))
        .thenRefused('claim_lost', { runId: 'r1' });
    }
  });

  test('what nobody has claimed is refused', () => {
    given(registered(), queuedRun(1)).when(finish(1)).thenRefused('claim_lost', { runId: 'r1' });
  });

  test('is possible whatever has become of the agent', () => {
    given(...running, paused)
      .when(finish(1))
      .then(finished(1, { agentStatus: 'paused' }));
    given(...running, terminated)
      .when(finish(1))
      .then(finished(1, { agentStatus: 'terminated' }));
  });

  test('says whether another run is still running', () => {
    const two = [registered({ maxConcurrentRuns: 3 }), ...runningRun(1, a), ...runningRun(2, b)];
    given(...two)
      .when(finish(1))
      .then(finished(1, { lastRunning: false }));
    given(...two, finished(1, { lastRunning: false }))
      .when(finish(2))
      .then(finished(2, { lastRunning: true }));
    given(registered({ maxConcurrentRuns: 3 }), runningRun(1, a), queuedRun(2, b))
      .when(finish(1))
      .then(finished(1, { lastRunning: true }));
  });

  test('takes the run for its own, not for another', () => {
    const two = [registered({ maxConcurrentRuns: 2 }), ...runningRun(1, a), ...runningRun(2, b)];
    given(...two)
      .when(finish(2, {}, { claimId: 'c1' }))
      .thenRefused('claim_lost', { runId: 'r2' });
  });
});

describe('the session', () => {
  const withSession = [...running, finished(1, { sessionIdAfter: 's1' })];
  const second = [...withSession, ...queuedRun(2), started(2, { sessionIdBefore: 's1' })];

  test.each([
    ['a new one replaces the old one', report({ sessionId: 's2' }), 's2'],
    ['none keeps it', report(), 's1'],
    ['no report keeps it', null, 's1'],
    ['clearing removes it', report({ clearSession: true }), null],
    ['clearing wins over a new one', report({ clearSession: true, sessionId: 's2' }), null],
  ])('%s', (_name, said, sessionIdAfter) => {
    const session = { sessionIdBefore: 's1', sessionIdAfter };
    given(...second)
      .when(finish(2, { report: said }))
      .then(finished(2, { ...session, report: said }));
    expect(given(...second, finished(2, session)).state()).toMatchObject({
      sessions: { own: sessionIdAfter },
    });
  });

  test.each([
    ['cancelled', [endRequested(2, 'cancel')], {}, endCauses.cancel],
    [
      'failed',
      [],
      { exitCode: 1 },
      { status: 'failed', errorCode: 'adapter_failed', error: 'Adapter failed' },
    ],
  ] as const)('is taken from a %s run, too', (_status, ending, outcome, verdict) => {
    const said = report({ sessionId: 's2' });
    const session = { sessionIdBefore: 's1', sessionIdAfter: 's2' };
    given(...second, ending)
      .when(finish(2, { report: said, ...outcome }))
      .then(
        finished(2, {
          ...verdict,
          ...outcome,
          ...session,
          report: said,
          endCause: ending.length > 0 ? 'cancel' : null,
        }),
      );
  });

  test('of runs side by side is that of the last one to say it', () => {
    const two = [registered({ maxConcurrentRuns: 2 }), ...runningRun(1, a), ...runningRun(2, b)];
    given(...two, finished(1, { sessionIdAfter: 's1', lastRunning: false }))
      .when(finish(2))
      .then(finished(2, { sessionIdAfter: 's1' }));
  });

  describe('reset during a run', () => {
    const reset = [...second, sessionReset];

    test.each([
      ['a new one', report({ sessionId: 's2' })],
      ['none', report()],
      ['clearing', report({ clearSession: true })],
    ])('wins over %s', (_name, said) => {
      const session = { sessionIdBefore: 's1', sessionIdAfter: null, sessionReset: true };
      given(...reset)
        .when(finish(2, { report: said }))
        .then(finished(2, { ...session, report: said }));
      expect(given(...reset, finished(2, session)).state()).toMatchObject({ sessions: { own: null } });
    });

    test('does not touch what a later run says', () => {
      const over = finished(2, { sessionIdBefore: 's1', sessionReset: true });
      const said = report({ sessionId: 's3' });
      given(...reset, over, runningRun(3))
        .when(finish(3, { report: said }))
        .then(finished(3, { sessionIdAfter: 's3', report: said }));
    });

    test('leaves the session that a run started after it has brought', () => {
      const history = [
        ...[registered({ maxConcurrentRuns: 2 }), ...runningRun(1, a), sessionReset, ...runningRun(2, b)],
        finished(2, { sessionIdAfter: 's2', lastRunning: false }),
      ];
      const over = { sessionIdAfter: 's2', sessionReset: true };
      given(...history)
        .when(finish(1))
        .then(finished(1, over));
      expect(given(...history, finished(1, over)).state()).toMatchObject({ sessions: { own: 's2' } });
    });

    test('does not concern a run that is only queued', () => {
      const said = report({ sessionId: 's1' });
      given(registered(), queuedRun(1), sessionReset, started(1))
        .when(finish(1, { report: said }))
        .then(finished(1, { sessionIdAfter: 's1', report: said }));
    });
  });
});

test('a run that is over gives its wakeup back', () => {
  const state = given(...running, finished(1)).state();
  expect(state).toMatchObject({ status: 'active', runs: new Map(), wakeups: new Map() });
});

describe('reaping', () => {
  const lost = { exitCode: null, exitedAt: null, errorCode: 'process_lost', error: 'lost' };
  const { nodeId: _nodeId, ...end } = finish(1, lost);
  const reap = { ...end, type: 'ReapRun' } as const;

  test('ends a run in the name of the node that had it', () => {
    const verdict = { status: 'failed', errorCode: 'process_lost', error: 'lost' } as const;
    given(...running)
      .when(reap)
      .then(finished(1, { ...verdict, exitCode: null, exitedAt: null }));
  });

  test('leaves the cause that was recorded first', () => {
    given(...running, endRequested(1, 'cancel'))
      .when(reap)
      .then(finished(1, { ...endCauses.cancel, endCause: 'cancel', exitCode: null, exitedAt: null }));
  });

  test('leaves alone what is another claim, queued, final or unknown', () => {
    given(...running)
      .when({ ...reap, claimId: 'c-other' })
      .thenNothing();
    given(registered(), queuedRun(1)).when(reap).thenNothing();
    given(...running, finished(1))
      .when(reap)
      .thenNothing();
    given(registered()).when(reap).thenNothing();
  });
});
