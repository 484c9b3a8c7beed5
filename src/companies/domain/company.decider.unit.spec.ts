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
  const register = { type: 'RegisterCompany', at, companyId, name: 'Acme', externalKey: 'acme' } as const;
  given().when(register).then(registered);
  given(registered).when(register).thenNothing();
  given(registered, paused).when(register).thenNothing();
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
