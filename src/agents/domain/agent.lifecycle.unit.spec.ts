import {
  AGENT,
  COMPANY,
  NOW,
  approved,
  cancelledWakeup,
  configuration,
  due,
  endRequested,
  finish,
  finished,
  finishedUnstarted,
  hoursLater,
  joinedDeferred,
  paused,
  queuedRun,
  registered,
  requested,
  resumed,
  runningRun,
  sessionReset,
  start,
  started,
  terminated,
  updated,
  waitingWakeup,
  wake,
} from '../../../test/support/agent-history';
import { givenFor } from '../../../test/support/given';
import type { AgentCommand, RegisterAgent } from './agent.commands';
import { agentDecider } from './agent.decider';
import type { AgentEvent } from './agent.events';
import { evolveAgent } from './agent.evolve';

const given = givenFor(agentDecider);

const approve = { type: 'ApproveAgent', at: NOW } as const;
const pause = { type: 'PauseAgent', at: NOW, reason: 'manual' } as const;
const resume = { type: 'ResumeAgent', at: NOW } as const;
const terminate = { type: 'TerminateAgent', at: NOW } as const;
const reset = { type: 'ResetSession', at: NOW, taskKey: null } as const;
const release = { type: 'ReleaseDeferredWakeups', at: NOW, companyPaused: false } as const;

const pending = registered({}, { requiresApproval: true });

function register(parts: Partial<RegisterAgent> = {}): RegisterAgent {
  const ids = { companyId: COMPANY, agentId: AGENT, externalKey: null };
  return {
    type: 'RegisterAgent',
    at: NOW,
    ...ids,
    requiresApproval: false,
    configuration: configuration(),
    ...parts,
  };
}

function update(policy: Parameters<typeof configuration>[0], baseVersion = 1): AgentCommand {
  return { type: 'UpdateAgent', at: NOW, baseVersion, configuration: configuration(policy) };
}

describe('before an agent is registered', () => {
  const commands: AgentCommand[] = [
    ...[update({}), approve, pause, resume, terminate, wake(1), release],
    ...[start(1), { type: 'CancelRun', at: NOW, runId: 'r1' } as const, finish(1), reset],
    { type: 'RequestRunEnd', at: NOW, runId: 'r1', cause: 'timeout' },
    { type: 'CancelWakeup', at: NOW, wakeupId: 'w1' },
    { type: 'ScheduleTimer', at: NOW, version: 1, due: null },
    due(NOW),
  ];

  test.each(commands.map((command) => [command.type, command] as const))(
    '%s is refused',
    (_type, command) => {
      given().when(command).thenRefused('agent_not_found');
    },
  );

  test('an event of it cannot be', () => {
    expect(() => given(paused).state()).toThrow('AgentPaused before AgentRegistered');
  });
});

describe('registering', () => {
  test('makes an agent that can be woken', () => {
    given().when(register()).then(registered());
    expect(given(registered()).state()).toMatchObject({ status: 'active', version: 1, revision: 0 });
  });

  test('keeps the external key', () => {
    const externalKey = 'ada';
    given().when(register({ externalKey })).then(registered({}, { externalKey }));
  });

  test('waits for approval where that is wanted', () => {
    given()
      .when(register({ requiresApproval: true }))
      .then(pending);
    expect(given(pending).state()).toMatchObject({ status: 'pending_approval' });
  });

  test('again, changes nothing, whatever has become of the agent', () => {
    const other = register({ configuration: configuration({ maxConcurrentRuns: 9 }) });
    given(registered()).when(other).thenNothing();
    given(registered(), terminated).when(other).thenNothing();
  });
});

describe('updating', () => {
  test('records the whole configuration, and which of its fields changed', () => {
    given(registered())
      .when(update({ maxConcurrentRuns: 2 }))
      .then(updated({ maxConcurrentRuns: 2 }));
    const name = 'Grace';
    given(registered())
      .when({
        type: 'UpdateAgent',
        at: NOW,
        baseVersion: 1,
        configuration: { ...configuration(), name, adapterType: 'http', adapterConfig: { url: 'http://x' } },
      })
      .then({
        type: 'AgentUpdated',
        data: {
          ...{ companyId: COMPANY, agentId: AGENT, ...configuration() },
          ...{ name, adapterType: 'http', adapterConfig: { url: 'http://x' } },
          changed: ['name', 'adapterType', 'adapterConfig'],
        },
      });
  });

  test('with what is there already changes nothing, in whatever order the fields come', () => {
    const { runtimeConfig, adapterConfig, adapterType, name } = configuration();
    const heartbeat = Object.fromEntries(Object.entries(runtimeConfig.heartbeat).reverse());
    const reordered = { runtimeConfig: { heartbeat }, adapterConfig, adapterType, name };
    given(registered())
      .when({ type: 'UpdateAgent', at: NOW, baseVersion: 1, configuration: reordered as never })
      .thenNothing();
  });

  test('from an older version is refused, also where it would change nothing', () => {
    const history = [registered(), updated({ maxConcurrentRuns: 2 })];
    given(...history)
      .when(update({ maxConcurrentRuns: 3 }))
      .thenRefused('version_conflict', { version: 2 });
    given(...history)
      .when(update({ maxConcurrentRuns: 2 }))
      .thenRefused('version_conflict', { version: 2 });
    given(...history)
      .when(update({ maxConcurrentRuns: 3 }, 2))
      .then(updated({ maxConcurrentRuns: 3 }));
  });

  test.each([
    ['pending', [pending]],
    ['paused', [registered(), paused]],
  ])('a %s agent is possible', (_status, history) => {
    given(...history)
      .when(update({ maxConcurrentRuns: 2 }))
      .then(updated({ maxConcurrentRuns: 2 }));
  });

  test('a terminated agent is refused', () => {
    given(registered(), terminated)
      .when(update({ maxConcurrentRuns: 2 }))
      .thenRefused('agent_status_conflict', { status: 'terminated' });
  });
});

describe('changing the status', () => {
  type Outcome = AgentEvent[] | 'refused';
  const histories = {
    pending_approval: [pending],
    active: [registered()],
    paused: [registered(), paused],
    terminated: [registered(), terminated],
  };
  const expectations: [AgentCommand, Record<keyof typeof histories, Outcome>][] = [
    [approve, { pending_approval: [approved], active: [], paused: [], terminated: 'refused' }],
    [pause, { pending_approval: 'refused', active: [paused], paused: [], terminated: 'refused' }],
    [resume, { pending_approval: 'refused', active: [], paused: [resumed], terminated: 'refused' }],
    [
      terminate,
      { pending_approval: [terminated], active: [terminated], paused: [terminated], terminated: [] },
    ],
  ];
  const cases = expectations.flatMap(([command, outcomes]) =>
    (Object.keys(histories) as (keyof typeof histories)[]).map(
      (status) => [command.type, status, command, outcomes[status]] as const,
    ),
  );

  test.each(cases)('%s of a %s agent', (_type, status, command, outcome) => {
    const decided = given(...histories[status]).when(command);
    if (outcome === 'refused') decided.thenRefused('agent_status_conflict', { status });
    else decided.then(...outcome);
  });

  test.each([
    ['approved', [pending, approved], 'active'],
    ['resumed', [registered(), paused, resumed], 'active'],
    ['paused', [registered(), paused], 'paused'],
    ['terminated', [registered(), terminated], 'terminated'],
  ])('is seen: %s', (_name, history, status) => {
    expect(given(...history).state()).toMatchObject({ status });
  });
});

describe('what followers of the log need no fold for', () => {
  const later = hoursLater(1);
  const ran = [registered(), ...runningRun(1), finished(1, { finishedAt: later })];
  const lastHeartbeatAt = later;

  test('is when a run ended last', () => {
    given(...ran)
      .when(pause)
      .then({ ...paused, data: { ...paused.data, lastHeartbeatAt } });
    given(...ran, paused)
      .when(resume)
      .then({ ...resumed, data: { ...resumed.data, lastHeartbeatAt } });
    given(...ran)
      .when(terminate)
      .then({ ...terminated, data: { ...terminated.data, lastHeartbeatAt } });
    given(...ran, ...queuedRun(2))
      .when(start(2))
      .then(started(2, { lastHeartbeatAt }));
  });

  test('is not the end of a run that never was one', () => {
    given(registered(), ...queuedRun(1), finishedUnstarted(1, 'cancel'))
      .when(pause)
      .then(paused);
  });

  test('is that an agent is running still when it is resumed', () => {
    given(registered(), ...runningRun(1), paused, endRequested(1, 'pause'))
      .when(resume)
      .then({ ...resumed, data: { ...resumed.data, agentStatus: 'running' } });
  });
});

describe('pausing', () => {
  const policy = { maxConcurrentRuns: 2 };

  test('asks the running runs to end and leaves what waits', () => {
    given(
      registered(policy),
      runningRun(1, { coalesceKey: 'a' }),
      runningRun(2, { coalesceKey: 'b' }),
      queuedRun(3, { coalesceKey: 'c' }),
      waitingWakeup(4, { coalesceKey: 'a' }),
    )
      .when(pause)
      .then(paused, endRequested(1, 'pause'), endRequested(2, 'pause'));
  });

  test('does not ask a run again that is to end already', () => {
    given(registered(policy), runningRun(1), endRequested(1, 'cancel')).when(pause).then(paused);
  });

  test('holds what waits, and resuming lets it go', () => {
    const history = [registered(), runningRun(1), waitingWakeup(2), paused, finished(1)];
    given(...history)
      .when(release)
      .thenNothing();
    given(...history, resumed)
      .when(release)
      .then(queuedRun(2)[1]!);
  });
});

describe('terminating', () => {
  test('ends what runs, what is queued and what waits', () => {
    given(
      registered({ maxConcurrentRuns: 2 }),
      runningRun(1, { coalesceKey: 'a' }),
      queuedRun(2, { coalesceKey: 'b' }),
      waitingWakeup(3, { coalesceKey: 'a' }),
      [requested(4, { coalesceKey: 'a' }), joinedDeferred(4, 3)],
    )
      .when(terminate)
      .then(
        terminated,
        endRequested(1, 'terminate'),
        finishedUnstarted(2, 'terminate'),
        cancelledWakeup(3, 'agent.terminated'),
      );
  });

  test('does not ask a run again that is to end already', () => {
    given(registered(), runningRun(1), endRequested(1, 'timeout')).when(terminate).then(terminated);
  });

  test('leaves nothing open but what still runs', () => {
    const state = given(registered(), runningRun(1), waitingWakeup(2), [
      terminated,
      endRequested(1, 'terminate'),
      cancelledWakeup(2, 'agent.terminated'),
    ]).state();
    expect(state).toMatchObject({ status: 'terminated' });
    expect('wakeups' in state && [...state.wakeups.keys()]).toEqual(['w1']);
  });
});

describe('resetting the session', () => {
  test.each([
    ['without a session', [registered()]],
    ['of a paused agent', [registered(), paused]],
    ['again', [registered(), sessionReset]],
  ])('%s is recorded', (_name, history) => {
    given(...history)
      .when(reset)
      .then(sessionReset);
  });

  test('forgets it', () => {
    const ran = [registered(), runningRun(1), finished(1, { sessionIdAfter: 's1' })];
    expect(given(...ran).state()).toMatchObject({ sessions: { own: 's1' } });
    expect(given(...ran, sessionReset).state()).toMatchObject({ sessions: { own: null } });
  });
});

test('what the decider does not know is a bug, and loud', () => {
  const state = given(registered()).state();
  expect(() => agentDecider.decide({ type: 'Dance' } as never, state)).toThrow('unknown agent command');
  expect(() => evolveAgent(state, { type: 'AgentDanced', data: {} } as never)).toThrow('unknown agent event');
});
