import {
  finished,
  NOW,
  queued,
  queuedRun,
  registered,
  requested,
  secondsLater,
  skipped,
  started,
  wake,
} from '../../../test/support/agent-history';
import type { History } from '../../../test/support/given';
import { givenFor } from '../../../test/support/given';
import type { RequestWakeup } from './agent.commands';
import { agentDecider } from './agent.decider';
import type { AgentEvent, WakeupCause } from './agent.events';
import type { RegisteredAgent } from './agent.state';
import type { CausingRun, LoopLimit } from './permissions';
import { defaultPermissions } from './permissions';

const given = givenFor(agentDecider);

const limit: LoopLimit = { wakeups: 3, withinSec: 60 };

/** A run that asks, `afterSec` after it has started. */
function from(inRow: number, afterSec: number, loopLimit: LoopLimit | null = limit): CausingRun {
  const startedAt = new Date(Date.parse(NOW) - afterSec * 1_000).toISOString();
  return { agentId: 'another', runId: 'its-run', inRow, startedAt, loopLimit };
}

function asked(n: number, causedBy: CausingRun, more: Parameters<typeof wake>[1] = {}): RequestWakeup {
  return { ...wake(n, more), causedBy };
}

/** The request as it is recorded. */
function caused(n: number, inRow: number, more: Parameters<typeof wake>[1] = {}): AgentEvent {
  const { type, data } = requested(n, more);
  const causedBy: WakeupCause = { agentId: 'another', runId: 'its-run', inRow };
  return { type, data: { ...data, causedBy } };
}

function rowOf(...history: History<AgentEvent>): number {
  const { wakeups } = given(...history).state() as RegisteredAgent;
  return [...wakeups.values()][0]!.inRow;
}

describe('a wakeup that an agent asks for', () => {
  test('is the next one in its row', () => {
    given(registered())
      .when(asked(1, from(0, 5)))
      .then(caused(1, 1), queued(1));
    given(registered())
      .when(asked(1, from(2, 5)))
      .then(caused(1, 3), queued(1));
  });

  test('is skipped where the row is longer than its agent may make it, and says why', () => {
    given(registered())
      .when(asked(1, from(3, 5)))
      .then(caused(1, 4), skipped(1, 'wake.loop'));
  });

  test.each([
    ['after the time', from(3, 60), {}],
    ['for after the time', from(3, 5), { notBefore: secondsLater(55) }],
  ])('begins another row where it is asked for %s', (_what, causedBy, more) => {
    const [first] = agentDecider.decide(asked(1, causedBy, more), given(registered()).state());
    expect(first).toEqual(caused(1, 0, more));
  });

  test('is skipped also where it is to wait, but not for long enough', () => {
    const soon = { notBefore: secondsLater(54) };
    given(registered())
      .when(asked(1, from(3, 5), soon))
      .then(caused(1, 4, soon), skipped(1, 'wake.loop'));
  });

  test('is never skipped for that where the agent has no limit', () => {
    given(registered())
      .when(asked(1, from(1_000, 5, null)))
      .then(caused(1, 1_001), queued(1));
  });

  test('outside of a run is the first of a row', () => {
    const outside = { ...from(0, 0), runId: null, startedAt: null };
    const [first] = agentDecider.decide(asked(1, outside), given(registered()).state());
    expect(first).toMatchObject({ data: { causedBy: { runId: null, inRow: 1 } } });
  });
});

describe('a row', () => {
  test('is remembered while its run is queued and running, and over with it', () => {
    const row = [registered(), caused(1, 2), queued(1)];
    expect(rowOf(...row)).toBe(2);
    expect(rowOf(...row, started(1))).toBe(2);
    expect((given(...row, started(1), finished(1)).state() as RegisteredAgent).wakeups.size).toBe(0);
  });

  test('is ended by whoever joins from outside of it', () => {
    const joins = agentDecider.decide(wake(2), given(registered(), caused(1, 2), queued(1)).state());
    expect(rowOf(registered(), caused(1, 2), queued(1), joins)).toBe(0);
  });

  test('is not begun by people', () => {
    expect(rowOf(registered(), queuedRun(1))).toBe(0);
  });
});

test('fifty in a row within a minute each is what agents may by default', () => {
  expect(defaultPermissions).toEqual({ wake: 'self', loopLimit: { wakeups: 50, withinSec: 60 } });
});
