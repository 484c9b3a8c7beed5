import {
  approved,
  budgetExceeded,
  budgetOf,
  budgetRestored,
  configuration,
  endRequested,
  finished,
  finishedUnstarted,
  paused,
  queuedRun,
  registered,
  resumed,
  runningRun,
  settlement,
  spent,
  terminated,
  updated,
} from '../../../test/support/agent-history';
import { projected, recordAll } from '../../../test/support/projected';
import type { AgentEvent } from '../domain/agent.events';
import type { AgentDocument } from './agents.projection';
import { agentsProjection } from './agents.projection';

type History = (AgentEvent | AgentEvent[])[];

function agentAfter(...history: History): AgentDocument {
  return projected(agentsProjection, recordAll(history.flat())).get('agent-1')!;
}

const agent = registered({ maxConcurrentRuns: 3 });
const exceeded = budgetExceeded(budgetOf({ monthlyMicros: 1 }), spent({ micros: 1 }));
const restored = budgetRestored('budget.changed');
const failure = { status: 'failed', errorCode: 'adapter_failed', error: 'Adapter failed' } as const;

test('a registered agent is idle', () => {
  expect(agentAfter(registered({}, { externalKey: 'ada' }))).toEqual({
    ...configuration(),
    ...{ id: 'agent-1', companyId: 'company-1', externalKey: 'ada', status: 'idle', statusReason: null },
    requiresApproval: false,
    ...{ lastHeartbeatAt: null, activeRunIds: [], version: 1, createdAt: '2025-11-23T10:00:00.000Z' },
    ...{
      registeredPosition: '1',
      restingStatus: 'idle',
      hold: null,
      pauseReason: null,
      nextDueAt: null,
      spent: spent(),
      budget: { budget: null, warned: null, stop: null },
    },
  });
});

describe('the status', () => {
  test.each<[AgentDocument['status'], string, History]>([
    ['pending_approval', 'registered for approval', [registered({}, { requiresApproval: true })]],
    ['idle', 'approved', [registered({}, { requiresApproval: true }), approved]],
    ['terminated', 'terminated unapproved', [registered({}, { requiresApproval: true }), terminated]],
    ['idle', 'with a queued run', [agent, queuedRun(1)]],
    ['running', 'with a running run', [agent, runningRun(1)]],
    ['running', 'with a run that is to end', [agent, runningRun(1), endRequested(1, 'cancel')]],
    ['idle', 'after a success', [agent, runningRun(1), finished(1)]],
    ['idle', 'after a cancelled run', [agent, runningRun(1), finished(1, { status: 'cancelled' })]],
    ['error', 'after a failure', [agent, runningRun(1), finished(1, failure)]],
    ['error', 'after a timeout', [agent, runningRun(1), finished(1, { status: 'timed_out' })]],
    [
      'running',
      'after a failure, running again',
      [agent, runningRun(1), finished(1, failure), runningRun(2)],
    ],
    [
      'idle',
      'a success after a failure',
      [agent, runningRun(1), finished(1, failure), runningRun(2), finished(2)],
    ],
    [
      'error',
      'a queued run cancelled after a failure',
      [agent, runningRun(1), finished(1, failure), queuedRun(2), finishedUnstarted(2, 'cancel')],
    ],
    ['idle', 'a queued run timed out', [agent, queuedRun(1), finishedUnstarted(1, 'timeout')]],
    ['paused', 'paused while running', [agent, runningRun(1), paused]],
    ['paused', 'paused, and its run failed', [agent, runningRun(1), paused, finished(1, failure)]],
    ['idle', 'resumed', [agent, paused, resumed]],
    ['paused', 'over its budget', [agent, exceeded]],
    ['paused', 'over its budget while running', [agent, runningRun(1), exceeded]],
    ['paused', 'over its budget, and resumed by a person', [agent, paused, exceeded, resumed]],
    ['paused', 'paused by a person, and within its budget', [agent, paused, exceeded, restored]],
    ['idle', 'within its budget again', [agent, exceeded, restored]],
    ['running', 'resumed while running', [agent, runningRun(1), paused, resumed]],
    ['idle', 'resumed after a failure', [agent, runningRun(1), finished(1, failure), paused, resumed]],
    ['terminated', 'terminated while running', [agent, runningRun(1), terminated]],
    ['terminated', 'terminated, and its run is over', [agent, runningRun(1), terminated, finished(1)]],
  ])('is %s: %s', (status, _name, history) => {
    expect(agentAfter(...history).status).toBe(status);
  });

  test('is decided by the run that ends last', () => {
    const two = [agent, ...runningRun(1, { coalesceKey: 'a' }), ...runningRun(2, { coalesceKey: 'b' })];
    const failedFirst = finished(1, { ...failure, lastRunning: false });
    expect(agentAfter(...two, failedFirst)).toMatchObject({ status: 'running', activeRunIds: ['r2'] });
    expect(agentAfter(...two, failedFirst, finished(2))).toMatchObject({ status: 'idle', activeRunIds: [] });
    expect(agentAfter(...two, finished(1, { lastRunning: false }), finished(2, failure)).status).toBe(
      'error',
    );
  });

  test('says why it is paused, as long as it is', () => {
    expect(agentAfter(agent, paused).statusReason).toBe('manual');
    expect(agentAfter(agent, paused, resumed).statusReason).toBeNull();
    expect(agentAfter(agent, exceeded).statusReason).toBe('budget.exceeded');
    expect(agentAfter(agent, exceeded, paused).statusReason).toBe('manual');
    expect(agentAfter(agent, exceeded, paused, resumed).statusReason).toBe('budget.exceeded');
    expect(agentAfter(agent, exceeded, restored).statusReason).toBeNull();
    expect(agentAfter(agent, paused, terminated).statusReason).toBeNull();
  });
});

test('active are the runs that run', () => {
  const two = [runningRun(1, { coalesceKey: 'a' }), runningRun(2, { coalesceKey: 'b' }), queuedRun(3)];
  expect(agentAfter(agent, ...two).activeRunIds).toEqual(['r1', 'r2']);
  expect(agentAfter(agent, ...two, finishedUnstarted(3, 'cancel')).activeRunIds).toEqual(['r1', 'r2']);
});

test('an update replaces the configuration and counts', () => {
  expect(agentAfter(agent, updated({ maxConcurrentRuns: 9 }))).toMatchObject({
    ...configuration({ maxConcurrentRuns: 9 }),
    version: 2,
  });
});

test('the last heartbeat is the end of the last run that ran', () => {
  const at = '2025-11-24T00:00:00.000Z';
  const before = recordAll([agent, ...runningRun(1)]);
  const end = recordAll([finished(1)], { at, firstPosition: 100 });
  const cancelled = recordAll([...queuedRun(2), finishedUnstarted(2, 'cancel')], { firstPosition: 200 });
  const heartbeats = [before, [...before, ...end], [...before, ...end, ...cancelled]].map(
    (events) => projected(agentsProjection, events).get('agent-1')!.lastHeartbeatAt,
  );
  expect(heartbeats).toEqual([null, at, at]);
});

test('what was spent starts at 0 each month', () => {
  const cost = (n: number, costMicros: number | null) => [
    ...runningRun(n),
    finished(n, { settlement: settlement(costMicros) }),
  ];
  const november = recordAll([agent, ...cost(1, 5), ...cost(2, 7), ...cost(3, null)]);
  const december = recordAll(cost(4, 11), { at: '2025-12-01T00:00:00.000Z', firstPosition: 100 });
  const spentAfter = (...events: ReturnType<typeof recordAll>[]) =>
    projected(agentsProjection, events.flat()).get('agent-1')!.spent;
  expect(spentAfter(november)).toEqual(spent({ micros: 12, runs: 3 }));
  expect(spentAfter(november, december)).toEqual(spent({ month: '2025-12', micros: 11, runs: 1 }));
});

test('an event before the registration stops the projection', () => {
  expect(() => agentAfter(paused)).toThrow('AgentPaused of an agent that was never registered');
});
