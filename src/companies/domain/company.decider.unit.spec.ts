import { budgetOf, spent } from '../../../test/support/agent-history';
import { givenFor } from '../../../test/support/given';
import type { CompanyCommand } from './company.decider';
import { companyDecider } from './company.decider';
import type { CompanyEvent } from './company.events';

const given = givenFor(companyDecider);

const companyId = 'company-1';
const at = '2025-11-23T10:00:00.000Z';
const registered: CompanyEvent = {
  type: 'CompanyRegistered',
  data: { companyId, name: 'Acme', externalKey: 'acme' },
};
const paused: CompanyEvent = { type: 'CompanyPaused', data: { companyId } };
const resumed: CompanyEvent = { type: 'CompanyResumed', data: { companyId } };
const pause = { type: 'PauseCompany', at, companyId } as const;
const resume = { type: 'ResumeCompany', at, companyId } as const;

test('is registered once', () => {
  const register = {
    type: 'RegisterCompany',
    at,
    companyId,
    name: 'Acme',
    externalKey: 'acme',
    logRetentionDays: null,
  } as const;
  given().when(register).then(registered);
  given()
    .when({ ...register, logRetentionDays: 30 })
    .then(registered, { type: 'LogRetentionChanged', data: { companyId, days: 30 } });
  given(registered).when(register).thenNothing();
  given(registered, paused).when(register).thenNothing();
});

test('how long output is kept is changed where it is another time', () => {
  const change = (days: number | null) => ({ type: 'ChangeLogRetention', at, companyId, days }) as const;
  const changed = (days: number | null): CompanyEvent => ({
    type: 'LogRetentionChanged',
    data: { companyId, days },
  });
  given(registered).when(change(30)).then(changed(30));
  given(registered, changed(30)).when(change(30)).thenNothing();
  given(registered, changed(30)).when(change(null)).then(changed(null));
  given(registered).when(change(null)).thenNothing();
});

test('is paused and resumed, each where that changes anything', () => {
  given(registered).when(pause).then(paused);
  given(registered, paused).when(pause).thenNothing();
  given(registered, paused).when(resume).then(resumed);
  given(registered).when(resume).thenNothing();
  given(registered, paused, resumed).when(pause).then(paused);
});

test.each<CompanyCommand>([pause, resume, { type: 'ChangePriceTable', at, companyId, prices: [] }])(
  '$type needs a company',
  (command) => {
    given().when(command).thenRefused('company_not_found');
  },
);

describe('its budget', () => {
  const budget = budgetOf({ monthlyMicros: 10 });
  const spending = spent({ micros: 12 });
  const notice = { companyId, month: '2025-11', limits: ['micros' as const], budget, spending };
  const changed: CompanyEvent = { type: 'CompanyBudgetChanged', data: { companyId, budget } };
  const warned: CompanyEvent = { type: 'CompanyBudgetWarned', data: notice };
  const exceeded: CompanyEvent = { type: 'CompanyBudgetExceeded', data: notice };
  const restored = (reason: 'month.began' | 'budget.changed'): CompanyEvent => ({
    type: 'CompanyBudgetRestored',
    data: { companyId, reason },
  });
  const change = { type: 'ChangeBudget', at, companyId, budget } as const;
  const review = { type: 'ReviewBudget', at, companyId, spending } as const;

  test('is set once, and stops all of it with one event', () => {
    given(registered)
      .when({ ...change, spending: spent() })
      .then(changed);
    given(registered, changed)
      .when({ ...change, spending })
      .thenNothing();
    given(registered, changed).when(review).then(warned, exceeded);
    given(registered, changed, warned, exceeded).when(review).thenNothing();
  });

  test('lets it go on when it is raised, or with a new month', () => {
    given(registered, changed, warned, exceeded)
      .when({ ...change, budget: null, spending })
      .then({ type: 'CompanyBudgetChanged', data: { companyId, budget: null } }, restored('budget.changed'));
    given(registered, changed, warned, exceeded)
      .when({ ...review, spending: spent({ month: '2025-12' }) })
      .then(restored('month.began'));
  });

  test('neither pauses nor resumes what a person does', () => {
    expect(given(registered, paused, changed, exceeded, restored('month.began')).state()).toMatchObject({
      status: 'paused',
      budget: { stop: null },
    });
    expect(given(registered, changed, exceeded).state()).toMatchObject({ status: 'active', revision: 2 });
  });
});

test('knows the revision of its last event', () => {
  expect(given().state().revision).toBe(-1);
  expect(given(registered, paused, resumed).state()).toMatchObject({ revision: 2, status: 'active' });
});

test('what the decider does not know is a bug, and loud', () => {
  const state = given(registered).state();
  expect(() => companyDecider.decide({ type: 'Dance' } as never, state)).toThrow('unknown company command');
  expect(() => companyDecider.evolve(state, { type: 'CompanyDanced', data: {} } as never)).toThrow(
    'unknown company event',
  );
});
