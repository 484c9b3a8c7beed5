import { finished, finishedUnstarted, resumed, updated } from '../../../test/support/agent-history';
import { recordAll } from '../../../test/support/projected';
import { deferredReleaseSaga } from './deferred-release.saga';

const release = {
  ...{ type: 'ReleaseDeferredWakeups', key: 'agent-1', companyId: 'company-1', agentId: 'agent-1' },
};

test.each([
  ['the end of a run', finished(1)],
  ['the end of a run that was queued', finishedUnstarted(1, 'cancel')],
  ['a resumption', resumed],
  ['a new policy', updated({ maxConcurrentRuns: 2 })],
])('%s makes the agent look at what waits', (_name, event) => {
  const [recorded] = recordAll([event as ReturnType<typeof finished>]);
  expect(deferredReleaseSaga.handles).toContain(event.type);
  expect(deferredReleaseSaga.react(recorded!)).toEqual([release]);
});
