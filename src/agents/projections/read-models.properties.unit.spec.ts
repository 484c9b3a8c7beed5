import fc from 'fast-check';
import { AgentWorld, someStory } from '../../../test/support/agent-world';
import { projected } from '../../../test/support/projected';
import type { DomainEvent } from '../../kernel/event';
import type { Projection } from '../../processing/projection';
import { runsProjection } from '../../runs/projections/runs.projection';
import { wakeupsProjection } from '../../wakeups/projections/wakeups.projection';
import type { RegisteredAgent } from '../domain/agent.state';
import { agentsProjection } from './agents.projection';
import { runtimeStatesProjection } from './runtime-states.projection';

const settings = { seed: 20_251_123, numRuns: 100 };
const OPEN_WAKEUPS = ['queued', 'claimed', 'deferred'];
const OPEN_RUNS = ['queued', 'running'];

/** Checks each agent's state against what a projection makes of the whole log, in the middle and at the end. */
function whateverHappens<D extends object, E extends DomainEvent>(
  projection: Projection<D, E>,
  check: (state: RegisteredAgent, documents: D[]) => void,
): void {
  const property = fc.property(someStory, (story) => {
    const world = new AgentWorld(story, () => undefined);
    const checkAll = () => {
      const documents = [...projected(projection, world.log).values()];
      for (const { state } of world.inhabitants) check(state as RegisteredAgent, documents);
    };
    checkAll();
    world.settle();
    checkAll();
  });
  fc.assert(property, settings);
}

function byId<T extends { id: string }>(items: T[]): T[] {
  return items.sort((one, other) => (one.id < other.id ? -1 : 1));
}

test('wakeups: what is open in the read model is open in the state, and for the same run', () => {
  whateverHappens(wakeupsProjection, ({ agentId, wakeups }, documents) => {
    const own = documents.filter((wakeup) => wakeup.agentId === agentId);
    const open = own.filter(({ status }) => OPEN_WAKEUPS.includes(status));
    // A receipt is final, and its follow-up may still be going on.
    const receipts = new Set(own.filter(({ status }) => status === 'coalesced').map(({ id }) => id));
    expect(byId(open.map(({ id, status, runId }) => ({ id, status, runId })))).toEqual(
      byId(
        [...wakeups.values()]
          .filter(({ wakeupId }) => !receipts.has(wakeupId))
          .map(({ wakeupId: id, status, runId }) => ({ id, status, runId })),
      ),
    );
    for (const { status, finishedAt } of documents) {
      expect(finishedAt === null).toBe(OPEN_WAKEUPS.includes(status));
    }
  });
});

test('runs: what is open in the read model is open in the state, and stands for as many wakeups', () => {
  whateverHappens(runsProjection, ({ agentId, runs, wakeups }, documents) => {
    const open = documents.filter((run) => run.agentId === agentId && OPEN_RUNS.includes(run.status));
    const shown = open.map(({ id, status, wakeupId, attempt, claimId, endCause, coalescedCount }) => ({
      ...{ id, status, wakeupId, attempt, claimId, endCause, coalescedCount },
    }));
    const known = [...runs.values()].map(({ runId, status, wakeupId, attempt, claim, endCause }) => ({
      ...{ id: runId, status, wakeupId, attempt, claimId: claim?.claimId ?? null, endCause },
      coalescedCount: wakeups.get(wakeupId)!.coalescedCount,
    }));
    expect(byId(shown)).toEqual(byId(known));
    for (const { status, finishedAt, wakeupIds, coalescedCount } of documents) {
      expect(finishedAt === null).toBe([...OPEN_RUNS, 'reserved'].includes(status));
      expect(new Set(wakeupIds).size).toBe(coalescedCount + 1);
    }
  });
});

test('runs: what is only reserved belongs to a deferred wakeup', () => {
  whateverHappens(runsProjection, ({ wakeups }, documents) => {
    const waiting = [...wakeups.values()].filter(({ status }) => status === 'deferred');
    const reserved = new Set(documents.filter(({ status }) => status === 'reserved').map(({ id }) => id));
    for (const { runId } of waiting) expect(reserved).toContain(runId);
  });
});

test('agents: status, version and running runs are those of the state', () => {
  whateverHappens(agentsProjection, (state, documents) => {
    const document = documents.find(({ id }) => id === state.agentId)!;
    const running = [...state.runs.values()].filter(({ status }) => status === 'running');
    const atWork = running.length > 0 ? ['running'] : ['idle', 'error'];
    const allowed = state.budget.stop === null ? atWork : ['paused'];
    expect(state.status === 'active' ? allowed : [state.status]).toContain(document.status);
    expect([...document.activeRunIds].sort()).toEqual(running.map(({ runId }) => runId).sort());
    expect(document.version).toBe(state.version);
    expect(document.runtimeConfig).toEqual(state.configuration.runtimeConfig);
  });
});

test('runtime states: the session is that of the state', () => {
  whateverHappens(runtimeStatesProjection, ({ agentId, sessions }, documents) => {
    const document = documents.find((agent) => agent.agentId === agentId);
    expect(document?.sessionId ?? null).toBe(sessions.own);
  });
});
