import {
  budgetChanged,
  budgetExceeded,
  budgetOf,
  budgetRestored,
  budgetWarned,
  due,
  endRequested,
  finish,
  finished,
  hoursLater,
  NOW,
  paused,
  queued,
  queuedRun,
  registered,
  requested,
  resumed,
  runningRun,
  skipped,
  spent,
  start,
  started,
  terminated,
  timer,
  timerScheduled,
  dueAt,
  waitingWakeup,
  wake,
  byTimer,
  finishedUnstarted,
} from '../../../test/support/agent-history';
import type { Budget } from '../../budgets/domain/budget';
import { endCauses } from './agent.events';
import type { Spending } from '../../budgets/domain/spending';
import { givenFor } from '../../../test/support/given';
import { agentDecider } from './agent.decider';

const given = givenFor(agentDecider);

const half = budgetOf({ monthlyMicros: 500_000 });
const all = spent({ micros: 600_000, runs: 1 });
const change = (budget: Budget | null, spending = spent()) =>
  ({ type: 'ChangeBudget', at: NOW, budget, spending }) as const;
const review = (spending: Spending, at = NOW) => ({ type: 'ReviewBudget', at, spending }) as const;
const release = { type: 'ReleaseDeferredWakeups', at: NOW, companyPaused: false } as const;
const december = '2025-12-01T00:00:00.000Z';

const budgeted = [registered({ maxConcurrentRuns: 2 }), budgetChanged(half)];
const stopped = [...budgeted, budgetWarned(half, all), budgetExceeded(half, all)];

describe('a budget', () => {
  test('is set, replaced and taken away, each where that changes anything', () => {
    given(registered()).when(change(half)).then(budgetChanged(half));
    given(...budgeted)
      .when(change(half))
      .thenNothing();
    given(...budgeted)
      .when(change(null))
      .then(budgetChanged(null));
    given(registered()).when(change(null)).thenNothing();
  });

  test('of a terminated agent cannot be set', () => {
    given(registered(), terminated)
      .when(change(half))
      .thenRefused('agent_status_conflict', { status: 'terminated' });
  });

  test('stops nothing of an agent that waits for approval', () => {
    const pending = registered({}, { requiresApproval: true });
    given(pending).when(change(half, all)).then(budgetChanged(half));
    given(pending, budgetChanged(half)).when(review(all)).thenNothing();
  });
});

describe('what was spent', () => {
  test('is warned of, then ends what runs; what is queued waits', () => {
    given(...budgeted, runningRun(1), queuedRun(2, { coalesceKey: 'k' }))
      .when(review(all))
      .then(budgetWarned(half, all), budgetExceeded(half, all), endRequested(1, 'budget'));
  });

  test('ends nothing where it is only the number of runs that is used up', () => {
    const one = budgetOf({ monthlyRuns: 1, warnAt: 1 });
    const spending = spent({ runs: 1 });
    const runs = ['runs' as const];
    given(registered(), budgetChanged(one), runningRun(1))
      .when(review(spending))
      .then(budgetWarned(one, spending, runs));
    given(registered(), budgetChanged(one), budgetWarned(one, spending, runs), runningRun(1), finished(1))
      .when(review(spending))
      .then(budgetExceeded(one, spending, { limits: runs, lastHeartbeatAt: NOW }));
  });

  test('an ending that somebody has asked for before stays the cause', () => {
    given(...budgeted, runningRun(1), endRequested(1, 'cancel'))
      .when(review(all))
      .then(budgetWarned(half, all), budgetExceeded(half, all));
  });

  test('a second look finds nothing new', () => {
    given(...stopped)
      .when(review(all))
      .thenNothing();
  });
});

describe('while the budget is used up', () => {
  test('a wakeup is skipped, not refused', () => {
    given(...stopped)
      .when(wake(1))
      .then(requested(1), skipped(1, 'budget.exceeded'));
    given(...budgeted)
      .when(wake(1, { companyOverBudget: true }))
      .then(requested(1), skipped(1, 'budget.exceeded'));
  });

  test('a person goes before it: whom a person has paused is refused', () => {
    given(...stopped, paused)
      .when(wake(1))
      .thenRefused('agent_not_wakeable', { status: 'paused' });
  });

  test('the policy goes before it, and it before the daily cap', () => {
    given(registered({ wakeOnDemand: false }), budgetChanged(half), budgetExceeded(half, all))
      .when(wake(1))
      .then(requested(1), skipped(1, 'heartbeat.wakeOnDemand.disabled'));
    given(
      registered({ maxDailyRuns: 1 }),
      runningRun(1),
      finished(1),
      budgetChanged(half),
      budgetExceeded(half, all),
    )
      .when(wake(2))
      .then(requested(2), skipped(2, 'budget.exceeded'));
  });

  test('the timer leaves a receipt', () => {
    const next = dueAt(hoursLater(1));
    given(...stopped, timerScheduled(dueAt(NOW)))
      .when(due(NOW, { timer: timer(1, next) }))
      .then(requested(1, byTimer), skipped(1, 'budget.exceeded'), timerScheduled(next));
  });

  test('nothing is started, before the month is over', () => {
    const refusal = { because: 'budget.exceeded', until: december };
    given(...stopped, queuedRun(1))
      .when(start(1))
      .thenRefused('run_not_startable', refusal);
    given(...budgeted, queuedRun(1))
      .when(start(1, { companyOverBudget: true }))
      .thenRefused('run_not_startable', refusal);
    given(...stopped, queuedRun(1))
      .when(start(1, { at: december }))
      .then(started(1, { startedAt: december }));
  });

  test('what waits for the agent goes on waiting', () => {
    given(
      ...budgeted,
      runningRun(1),
      waitingWakeup(2),
      budgetExceeded(half, all),
      finished(1, { agentStatus: 'paused' }),
    )
      .when(release)
      .thenNothing();
    given(...budgeted, runningRun(1), waitingWakeup(2), finished(1))
      .when({ ...release, companyOverBudget: true })
      .thenNothing();
  });

  test('a run that ends leaves the agent paused, and is never tried again', () => {
    const retry = { retry: { maxAttempts: 3, backoffSec: 0 } };
    given(
      registered(retry),
      budgetChanged(half),
      runningRun(1),
      budgetExceeded(half, all),
      endRequested(1, 'budget'),
    )
      .when(finish(1, { exitCode: 143 }))
      .then(finished(1, { ...endCauses.budget, endCause: 'budget', exitCode: 143, agentStatus: 'paused' }));
  });

  test('what is queued can still be cancelled', () => {
    given(...stopped, queuedRun(1))
      .when({ type: 'CancelRun', at: NOW, runId: 'r1' })
      .then(finishedUnstarted(1, 'cancel'));
  });
});

describe('the number of runs', () => {
  const two = budgetOf({ monthlyRuns: 2 });
  const policy = { maxConcurrentRuns: 3, whenBusy: 'enqueue' } as const;

  test('is counted on the stream, queued ones included', () => {
    given(registered(policy), budgetChanged(two), runningRun(1)).when(wake(2)).then(requested(2), queued(2));
    given(registered(policy), budgetChanged(two), runningRun(1), queuedRun(2))
      .when(wake(3))
      .then(requested(3), skipped(3, 'budget.exceeded'));
  });

  test('is never exceeded by a start, also where nobody has looked at the budget', () => {
    const others = (n: number) => runningRun(n, { coalesceKey: `k${n}` });
    given(registered(policy), budgetChanged(two), others(1), others(2), queuedRun(3))
      .when(start(3))
      .thenRefused('run_not_startable', { because: 'budget.exceeded', until: december });
  });
});

describe('it goes on', () => {
  test('with a raised budget', () => {
    const raised = budgetOf({ monthlyMicros: 1_000_000 });
    given(...stopped)
      .when(change(raised, all))
      .then(budgetChanged(raised), budgetRestored('budget.changed'));
  });

  test('with a new month, before anything else is decided in it', () => {
    const next = dueAt('2025-12-02T00:00:00.000Z');
    given(...stopped, timerScheduled(dueAt(december)))
      .when(due(december, { timer: timer(1, next, { at: december }) }))
      .then(
        budgetRestored('month.began'),
        requested(1, { ...byTimer, at: december }),
        queued(1, byTimer),
        timerScheduled(next),
      );
    given(...stopped)
      .when(due(hoursLater(1)))
      .thenNothing();
  });

  test('not with a new month whose budget is nothing', () => {
    const nothing = budgetOf({ monthlyMicros: 0 });
    const [november, later] = [spent(), spent({ month: '2025-12' })];
    given(
      registered(),
      budgetChanged(nothing),
      budgetWarned(nothing, november),
      budgetExceeded(nothing, november),
    )
      .when(due(december))
      .then(budgetWarned(nothing, later), budgetExceeded(nothing, later));
  });

  test('not where a person has paused the agent, before it or meanwhile', () => {
    given(...stopped, paused)
      .when(due(december))
      .then(budgetRestored('month.began', 'paused'));
    given(...stopped, paused, budgetRestored('month.began', 'paused'))
      .when(wake(1))
      .thenRefused('agent_not_wakeable', { status: 'paused' });
    given(...budgeted, paused, budgetExceeded(half, all, { agentStatus: 'paused' }))
      .when(change(null, all))
      .then(budgetChanged(null), budgetRestored('budget.changed', 'paused'));
  });

  test('not by a person who resumes what only the budget has stopped', () => {
    given(...stopped)
      .when({ type: 'ResumeAgent', at: NOW })
      .thenNothing();
    const { type, data } = resumed;
    given(...stopped, paused)
      .when({ type: 'ResumeAgent', at: NOW })
      .then({ type, data: { ...data, agentStatus: 'paused' } });
    given(...stopped, paused, resumed)
      .when(wake(1))
      .then(requested(1), skipped(1, 'budget.exceeded'));
  });

  test('and what has waited becomes a run', () => {
    const waiting = [...budgeted, runningRun(1), waitingWakeup(2), budgetExceeded(half, all), finished(1)];
    given(...waiting, budgetRestored('budget.changed'))
      .when(release)
      .then(queued(2));
    given(...waiting)
      .when({ ...release, at: december })
      .then(queued(2));
  });

  test('what is terminated is not stopped any more, and its stop is put away with the month', () => {
    given(...budgeted, terminated)
      .when(review(all))
      .thenNothing();
    given(...stopped, terminated)
      .when(due(december))
      .then(budgetRestored('month.began', 'terminated'));
  });
});
