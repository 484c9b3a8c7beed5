import type { Saga, SagaCommand } from '../../processing/saga';
import type { CompanyEvent } from '../domain/company.events';

/** A paused company has nothing running; when it is resumed, its agents look at what has waited for them. */
export const companyStopSaga: Saga<Handled, CompanyStopCommand> = {
  name: 'company_stop',
  handles: ['CompanyPaused', 'CompanyResumed'],
  react({ event }) {
    const { companyId } = event.data;
    const type = event.type === 'CompanyPaused' ? 'EndCompanyRuns' : 'ReleaseCompany';
    return [{ type, key: companyId, companyId }];
  },
};

type Handled = Extract<CompanyEvent, { type: 'CompanyPaused' | 'CompanyResumed' }>;

export interface CompanyStopCommand extends SagaCommand {
  type: 'EndCompanyRuns' | 'ReleaseCompany';
  companyId: string;
}
