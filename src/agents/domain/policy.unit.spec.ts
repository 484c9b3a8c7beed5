import { defaultPolicy, runLimits } from './policy';

test('the defaults are those of the specification', () => {
  expect(defaultPolicy).toEqual({
    ...{ enabled: true, intervalSec: 0, cron: null, timezone: null, jitterSec: 0, catchUp: 'once' },
    ...{ wakeOnDemand: true, maxConcurrentRuns: 1, whenBusy: 'followUp', maxDailyRuns: null },
    ...{ timeoutSec: 0, silenceTimeoutSec: 0, graceSec: 15, retry: null, circuitBreaker: null },
    ...{ logQuotaBytes: 268_435_456, placement: 'node' },
  });
});

test('a run keeps its limits and nothing else of the policy', () => {
  const limits = { timeoutSec: 1, silenceTimeoutSec: 2, graceSec: 3, logQuotaBytes: 4 };
  expect(runLimits({ ...defaultPolicy, ...limits })).toEqual(limits);
});
