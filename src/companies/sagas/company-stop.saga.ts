import { endsRuns } from '../../budgets/domain/budget';
import type { Saga, SagaCommand } from '../../processing/saga';
import type { CompanyEvent } from '../domain/company.events';

/**
 * A company that is paused, or has used up its budget, has nothing running; when it may go on, its agents look at what
 * has waited for them.
 */
export const companyStopSaga: Saga<Handled, CompanyStopCommand> = {
  name: 'company_stop',
  handles: ['CompanyPaused', 'CompanyResumed', 'CompanyBudgetExceeded', 'CompanyBudgetRestored'],
  react({ event }) {
    const { companyId } = event.data;
    const base = { key: companyId, companyId };
    switch (event.type) {
      case 'CompanyPaused':
        return [{ ...base, type: 'EndCompanyRuns', because: 'pause' }];
      case 'CompanyBudgetExceeded':
        return endsRuns(event.data) ? [{ ...base, type: 'EndCompanyRuns', because: 'budget' }] : [];
      case 'CompanyResumed':
      case 'CompanyBudgetRestored':
        return [{ ...base, type: 'ReleaseCompany' }];
    }
  },
};

type Handled = Extract<
  CompanyEvent,
  { type: 'CompanyPaused' | 'CompanyResumed' | 'CompanyBudgetExceeded' | 'CompanyBudgetRestored' }
>;

export type CompanyStopCommand = SagaCommand & { companyId: string } & (
    { type: 'EndCompanyRuns'; because: 'pause' | 'budget' } | { type: 'ReleaseCompany' }
  );
