import type { RunFinished } from '../../agents/domain/agent.events';
import type { CompanyEvent } from '../../companies/domain/company.events';
import type { Saga, SagaCommand } from '../../processing/saga';

/** Has the log of each run that is over age out when its company wants that, and those of before when it changes its mind. */
export const logRetentionSaga: Saga<Handled, RetentionCommand> = {
  name: 'log_retention',
  handles: ['RunFinished', 'LogRetentionChanged'],
  react({ event }) {
    if (event.type === 'LogRetentionChanged') {
      const { companyId } = event.data;
      return [{ type: 'ReviewLogs', key: companyId, companyId }];
    }
    const { companyId, runId, startedAt, finishedAt, log } = event.data;
    return log === null ? [] : [{ type: 'LimitLog', key: runId, companyId, runId, startedAt, finishedAt }];
  },
};

type Handled = RunFinished | Extract<CompanyEvent, { type: 'LogRetentionChanged' }>;

export type RetentionCommand = SagaCommand & { companyId: string } & (
    { type: 'LimitLog'; runId: string; startedAt: string | null; finishedAt: string } | { type: 'ReviewLogs' }
  );
