import { budgetOf, spent } from '../../test/support/agent-history';
import type { AgentsStore } from '../agents/agents.store';
import { agentsProjection } from '../agents/projections/agents.projection';
import type { CompaniesStore } from '../companies/companies.store';
import { TestClock } from '../kernel/clock';
import { DomainError } from '../kernel/errors';
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

/** What a review does where agent and company stand so, in its order. */
async function doneBefore(
  agent: Budgeted,
  company: Budgeted,
  waiting = Promise.resolve(1n),
): Promise<string[]> {
  const done: string[] = [];
  const clock = new TestClock();
  clock.set(new Date('2025-11-23T10:00:00.000Z'));
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
