import fc from 'fast-check';
import { AgentLedger } from '../../../test/support/agent-ledger';
import type { Story } from '../../../test/support/agent-world';
import { AgentWorld, someStory } from '../../../test/support/agent-world';
import { asText } from '../../../test/support/as-text';
import { folded } from '../../../test/support/given';
import { agentDecider } from './agent.decider';
import type { AgentEvent } from './agent.events';

/** Plays a story while a ledger of each agent watches. */
function play(story: Story): { world: AgentWorld; ledgers: Map<string, AgentLedger> } {
  const ledgers = new Map<string, AgentLedger>();
  const world = new AgentWorld(story, (recorded) => {
    const { agentId } = recorded.event.data;
    if (!ledgers.has(agentId)) ledgers.set(agentId, new AgentLedger());
    ledgers.get(agentId)!.observe(recorded);
  });
  return { world, ledgers };
}

function eventsOf(world: AgentWorld, agentId: string): AgentEvent[] {
  return world.log.map(({ event }) => event).filter(({ data }) => data.agentId === agentId);
}

const settings = { seed: 20_251_123, numRuns: 200 };

describe('whatever happens to an agent', () => {
  test('no event breaks a rule, and when all is done every wakeup has one end', () => {
    fc.assert(
      fc.property(someStory, (story) => {
        const { world, ledgers } = play(story);
        world.settle();
        for (const ledger of ledgers.values()) ledger.assertSettled();
        for (const { state } of world.inhabitants) {
          expect(state).toMatchObject({ runs: new Map(), wakeups: new Map() });
        }
      }),
      settings,
    );
  });

  test('its events, told again, give the same state', () => {
    fc.assert(
      fc.property(someStory, (story) => {
        const { world } = play(story);
        for (const { agentId, state } of world.inhabitants) {
          expect(asText(folded(agentDecider, eventsOf(world, agentId)))).toBe(asText(state));
        }
      }),
      settings,
    );
  });

  test('the same commands give the same events', () => {
    fc.assert(
      fc.property(someStory, (story) => {
        const [once, twice] = [play(story).world, play(story).world];
        expect(asText(once.log.map(({ event }) => event))).toBe(asText(twice.log.map(({ event }) => event)));
        expect(once.refusals).toEqual(twice.refusals);
      }),
      { ...settings, numRuns: 100 },
    );
  });

  test('its state holds what is open, and no more', () => {
    fc.assert(
      fc.property(someStory, (story) => {
        const { world, ledgers } = play(story);
        for (const [agentId, ledger] of ledgers) {
          const { runs, wakeups } = world.stateOf(agentId);
          const open = [...ledger.wakeups].filter(([, { status }]) => /queued|claimed|deferred/.test(status));
          // A receipt is final, and its follow-up may still be going on.
          const held = [...wakeups].filter(([id]) => ledger.wakeups.get(id)?.receipt === null);
          expect(Object.fromEntries(held.map(([id, { status }]) => [id, status]))).toEqual(
            Object.fromEntries(open.map(([id, { status }]) => [id, status])),
          );
          const going = [...ledger.runs].filter(([, { status }]) => /queued|running/.test(status));
          expect([...runs].map(([id, { status }]) => [id, status]).sort()).toEqual(
            going.map(([id, { status }]) => [id, status]).sort(),
          );
        }
      }),
      settings,
    );
  });
});

test('the stories tell of everything that can happen', () => {
  const seen = new Set<string>();
  const stories = fc.sample(someStory, { ...settings, numRuns: 400 });
  for (const story of stories) {
    const { world } = play(story);
    world.settle();
    for (const { event } of world.log) {
      const { type, data } = event;
      const detail = 'status' in data ? data.status : 'reason' in data ? data.reason : '';
      seen.add(`${type} ${type === 'WakeupRequested' ? '' : detail}`.trim());
    }
    for (const code of world.refusals) seen.add(code);
  }
  expect([...seen].sort()).toEqual(
    [
      ...['AgentRegistered', 'AgentUpdated', 'AgentApproved', 'AgentPaused manual', 'AgentResumed'],
      ...[
        'AgentTerminated',
        'WakeupRequested',
        'WakeupCoalesced run.queued',
        'WakeupCoalesced wakeup.deferred',
      ],
      ...[
        'WakeupDeferred agent.busy',
        'WakeupSkipped heartbeat.disabled',
        'WakeupCancelled agent.terminated',
      ],
      ...['WakeupCoalesced run.running', 'WakeupCoalesced run.exited', 'WakeupCoalesced retry.waiting'],
      ...['WakeupDeferred not.before', 'WakeupDeferred agent.held', 'WakeupExpired deferral.expired'],
      ...['WakeupCancelled wakeup.cancelled', 'TimerScheduled', 'WakeupSkipped agent.busy'],
      ...['WakeupSkipped agent.paused', 'WakeupSkipped agent.pending_approval', 'WakeupSkipped circuit.open'],
      ...['WakeupSkipped company.paused', 'WakeupSkipped runs.dailyCap', 'WakeupSkipped timer.missed'],
      ...['WakeupSkipped heartbeat.wakeOnDemand.disabled', 'RunQueued', 'RunStarted', 'RunEndRequested'],
      ...['RunFinished succeeded', 'RunFinished failed', 'RunFinished cancelled', 'RunFinished timed_out'],
      ...['AgentBudgetChanged', 'AgentBudgetWarned', 'AgentBudgetExceeded', 'WakeupSkipped budget.exceeded'],
      ...['AgentBudgetRestored month.began', 'AgentBudgetRestored budget.changed'],
      ...['WakeupDeferred quota.window'],
      ...['SessionReset', 'agent_busy', 'agent_not_wakeable', 'agent_status_conflict', 'claim_lost'],
      ...['idempotency_key_reused', 'run_not_startable', 'version_conflict'],
    ].sort(),
  );
});
