import { budgetOf, spent } from '../../test/support/agent-history';
import type { AgentsStore } from '../agents/agents.store';
import { agentsProjection } from '../agents/projections/agents.projection';
import type { CompaniesStore } from '../companies/companies.store';
import { TestClock } from '../kernel/clock';
import { DomainError } from '../kernel/errors';
import type { Recorded } from '../kernel/event';
import type { Processing } from '../processing/processing';
import type { ReadModels } from '../processing/read-models';
import { BudgetReview } from './budget-review';
import type { Budgeted } from './budget.view';
import { NO_BUDGET } from './domain/budget';

const address = { companyId: 'c', agentId: 'a' };
const used: Budgeted = {
  budget: { ...NO_BUDGET, budget: budgetOf({ monthlyMicros: 5 }) },
  spent: spent({ micros: 5 }),
};
const unlimited: Budgeted = { budget: NO_BUDGET, spent: spent({ micros: 5 }) };

function clockAtNoon(): TestClock {
  const clock = new TestClock();
  clock.set(new Date('2025-11-23T12:00:00.000Z'));
  return clock;
}

/** What a review does where agent and company stand so, in its order. */
async function doneBefore(
  agent: Budgeted,
  company: Budgeted,
  waiting = Promise.resolve(1n),
): Promise<string[]> {
  const done: string[] = [];
  const clock = clockAtNoon();
  const note = (what: string, answer: unknown) => {
    done.push(what);
    return Promise.resolve(answer);
  };
  const review = new BudgetReview({
    agents: {
      execute: (_who: object, { type }: { type: string }) => note(`agent ${type}`, {}),
    } as unknown as AgentsStore,
    companies: {
      execute: ({ type }: { type: string }) => note(`company ${type}`, { position: 7n, events: [] }),
    } as unknown as CompaniesStore,
    processing: {
      waitForHead: () => note('head', null).then(() => waiting),
      waitFor: (position: bigint) => note(`seen ${position}`, null),
    } as unknown as Processing,
    readModels: {
      get: (projection: object) => Promise.resolve(projection === agentsProjection ? agent : company),
    } as unknown as ReadModels,
    clock,
  });
  await review.beforeDecision(address);
  return done;
}

describe('after an entry of the ledger', () => {
  /** What is done for entries one after the other; the read model is behind none of them. */
  async function doneAfter(causes: readonly { type: string; agent: Budgeted }[]): Promise<string[]> {
    const done: string[] = [];
    let agent = unlimited;
    const clock = clockAtNoon();
    const review = new BudgetReview({
      agents: {
        execute: (_who: object, { type }: { type: string }) => Promise.resolve(done.push(type)),
      } as unknown as AgentsStore,
      companies: {} as CompaniesStore,
      processing: {
        waitFor: (position: bigint) => Promise.resolve(done.push(`seen ${position}`)),
      } as unknown as Processing,
      readModels: { get: () => Promise.resolve(agent) } as unknown as ReadModels,
      clock,
    });
    const command = { type: 'ReviewAgentBudget', key: 'a', ...address } as const;
    for (const [index, { type, agent: now }] of causes.entries()) {
      agent = now;
      const cause = { event: { type }, position: BigInt(index + 1) } as unknown as Recorded;
      await review.execute(command, cause);
    }
    return done;
  }

  test('who has no budget is looked at once, until there is another budget', async () => {
    expect(
      await doneAfter([
        { type: 'RunStarted', agent: unlimited },
        { type: 'RunFinished', agent: unlimited },
        { type: 'AgentBudgetChanged', agent: used },
        { type: 'RunFinished', agent: used },
        { type: 'AgentBudgetChanged', agent: unlimited },
        { type: 'RunFinished', agent: unlimited },
      ]),
    ).toEqual(['seen 1', 'seen 3', 'ReviewBudget', 'seen 4', 'ReviewBudget', 'seen 5']);
  });

  test('who is still stopped is looked at, with or without a budget', async () => {
    const month = '2025-10';
    const stopped = { ...unlimited, budget: { ...NO_BUDGET, stop: { month, limits: [] } } };
    const done = await doneAfter([
      { type: 'RunFinished', agent: stopped },
      { type: 'RunFinished', agent: stopped },
    ]);
    expect(done).toEqual(['seen 1', 'ReviewBudget', 'seen 2', 'ReviewBudget']);
  });
});

describe('before a decision', () => {
  test('what is on the log counts, for the agent and for its company', async () => {
    expect(await doneBefore(used, unlimited)).toEqual(['head', 'agent ReviewBudget']);
    expect(await doneBefore(unlimited, used)).toEqual(['head', 'company ReviewBudget', 'seen 7']);
    expect(await doneBefore(used, used)).toHaveLength(4);
  });

  test('nothing is waited for where nobody has a budget', async () => {
    expect(await doneBefore(unlimited, unlimited)).toEqual([]);
  });

  test('it is rather decided on what is known than not at all', async () => {
    const behind = Promise.reject(new DomainError('not_caught_up'));
    expect(await doneBefore(used, unlimited, behind)).toEqual(['head', 'agent ReviewBudget']);
    const broken = Promise.reject(new Error('broken'));
    await expect(doneBefore(used, unlimited, broken)).rejects.toThrow('broken');
  });
});
