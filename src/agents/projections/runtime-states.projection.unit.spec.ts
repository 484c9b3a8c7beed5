import {
  finished,
  finishedUnstarted,
  queuedRun,
  registered,
  report,
  runningRun,
  sessionReset,
  settlement,
} from '../../../test/support/agent-history';
import { projected, recordAll } from '../../../test/support/projected';
import type { AgentEvent, RunReport } from '../domain/agent.events';
import type { RuntimeStateDocument } from './runtime-states.projection';
import { neverRan, runtimeStatesProjection } from './runtime-states.projection';

type History = (AgentEvent | AgentEvent[])[];

const NOW = '2025-11-23T10:00:00.000Z';
const agent = registered();

function stateAfter(...history: History): RuntimeStateDocument | undefined {
  return projected(runtimeStatesProjection, recordAll([agent, ...history.flat()])).get('agent-1');
}

function ran(n: number, parts: Partial<RunReport>, more: Parameters<typeof finished>[1] = {}): AgentEvent[] {
  const { usage, costMicros } = parts;
  const booked = usage || costMicros ? settlement(costMicros ?? null, usage ?? undefined) : null;
  return [...runningRun(n), finished(n, { report: report(parts), settlement: booked, ...more })];
}

const nothing = neverRan({ agentId: 'agent-1', companyId: 'company-1', taskKey: null });

test('an agent that never ran has zeros and nothing else', () => {
  expect(stateAfter(runningRun(1))).toBeUndefined();
  expect(nothing).toEqual({
    ...{
      agentId: 'agent-1',
      taskKey: null,
      companyId: 'company-1',
      sessionId: null,
      sessionDisplayId: null,
      stateJson: null,
    },
    ...{ lastRunId: null, lastRunStatus: null, lastError: null, updatedAt: null, totalCostMicros: 0 },
    ...{ totalInputTokens: 0, totalOutputTokens: 0, totalCachedInputTokens: 0 },
  });
});

test('a run leaves its session, state, outcome and totals', () => {
  const usage = { inputTokens: 10, outputTokens: 20, cachedInputTokens: 30 };
  const said = { usage, costMicros: 40, state: { step: 1 }, sessionId: 's1' };
  expect(stateAfter(ran(1, said, { sessionIdAfter: 's1' }))).toEqual({
    ...nothing,
    ...{ sessionId: 's1', sessionDisplayId: 's1', stateJson: { step: 1 }, updatedAt: NOW },
    ...{ lastRunId: 'r1', lastRunStatus: 'succeeded', lastError: null, totalCostMicros: 40 },
    ...{ totalInputTokens: 10, totalOutputTokens: 20, totalCachedInputTokens: 30 },
  });
});

test('totals grow', () => {
  const usage = { inputTokens: 1, outputTokens: 2, cachedInputTokens: 3 };
  const said = { usage, costMicros: 4 };
  expect(stateAfter(ran(1, said), ran(2, said), ran(3, {}))).toMatchObject({
    ...{ totalInputTokens: 2, totalOutputTokens: 4, totalCachedInputTokens: 6, totalCostMicros: 8 },
  });
});

test('the session is the one that the decision says', () => {
  const session = { sessionIdAfter: 's1' };
  expect(stateAfter(ran(1, {}, session), ran(2, {}, { sessionIdAfter: null }))).toMatchObject({
    sessionId: null,
    sessionDisplayId: null,
  });
});

test.each([
  ['none', {}],
  ['null', { state: null }],
  ['undefined', { state: undefined }],
])('%s keeps the state', (_name, said) => {
  expect(stateAfter(ran(1, { state: { step: 1 } }), ran(2, said))).toMatchObject({ stateJson: { step: 1 } });
});

test.each([[0], [''], [false], [[]]])('%j replaces the state', (state) => {
  expect(stateAfter(ran(1, { state: { step: 1 } }), ran(2, { state }))).toMatchObject({ stateJson: state });
});

test('the last error is gone after a success', () => {
  const failure = { status: 'failed', error: 'out of tokens', errorCode: 'adapter_failed' } as const;
  expect(stateAfter(ran(1, {}, failure))).toMatchObject({
    lastError: 'out of tokens',
    lastRunStatus: 'failed',
  });
  expect(stateAfter(ran(1, {}, failure), ran(2, {}))).toMatchObject({ lastError: null, lastRunId: 'r2' });
});

test('a run that was never claimed leaves nothing', () => {
  const cancelled = [...queuedRun(2), finishedUnstarted(2, 'cancel')];
  expect(stateAfter(ran(1, {}, { sessionIdAfter: 's1' }), cancelled)).toMatchObject({
    ...{ lastRunId: 'r1', lastRunStatus: 'succeeded', sessionId: 's1' },
  });
});

describe('a reset', () => {
  const failure = { status: 'failed', error: 'x', sessionIdAfter: 's1' } as const;
  const before = ran(1, { state: { step: 1 }, costMicros: 5 }, failure);

  test('clears session, state and error, and keeps the rest', () => {
    expect(stateAfter(before, sessionReset)).toEqual({
      ...nothing,
      ...{ lastRunId: 'r1', lastRunStatus: 'failed', totalCostMicros: 5, updatedAt: NOW },
    });
  });

  test('of an agent that never ran is harmless', () => {
    expect(stateAfter(sessionReset)).toEqual({ ...nothing, updatedAt: NOW });
  });

  test('during a run wins over its session and state, not over its outcome and cost', () => {
    const said = report({ sessionId: 's2', state: { step: 2 }, costMicros: 7 });
    const parts = { sessionIdAfter: null, sessionReset: true, settlement: settlement(7) };
    const over = finished(2, { report: said, ...parts });
    expect(stateAfter(before, runningRun(2), sessionReset, over)).toMatchObject({
      ...{ sessionId: null, sessionDisplayId: null, stateJson: null },
      ...{ lastRunId: 'r2', lastRunStatus: 'succeeded', totalCostMicros: 12 },
    });
  });
});
