import {
  finish,
  finished,
  NOW,
  queuedRun,
  registered,
  report,
  sessionReset,
  sessionResetOf,
  start,
  started,
} from '../../../test/support/agent-history';
import { givenFor } from '../../../test/support/given';
import { agentDecider } from './agent.decider';
import type { AgentEvent } from './agent.events';
import type { RegisteredAgent } from './agent.state';
import { MAX_TASK_SESSIONS } from './agent.state';

const given = givenFor(agentDecider);

const agent = registered({ maxConcurrentRuns: 3 });

function running(n: number, taskKey: string | null, sessionIdBefore: string | null = null): AgentEvent[] {
  const asked = { taskKey, coalesceKey: `run ${n}` };
  return [...queuedRun(n, asked), started(n, { taskKey, sessionIdBefore })];
}

function ran(n: number, taskKey: string | null, sessionIdAfter: string | null): AgentEvent[] {
  return [...running(n, taskKey), finished(n, { taskKey, sessionIdAfter })];
}

function sessionsAfter(...history: (AgentEvent | AgentEvent[])[]) {
  const { own, byTask } = (given(agent, ...history).state() as RegisteredAgent).sessions;
  return { own, ...Object.fromEntries(byTask) };
}

test('each task has a session of its own, beside that of the agent', () => {
  expect(sessionsAfter(ran(1, null, 's1'), ran(2, 't', 's2'), ran(3, 'u', 's3'))).toEqual({
    own: 's1',
    t: 's2',
    u: 's3',
  });
});

test.each([
  ['t', 's2'],
  ['u', null],
  [null, 's1'],
])('a run of task %s starts with the session %s', (taskKey, sessionIdBefore) => {
  given(agent, ran(1, null, 's1'), ran(2, 't', 's2'), queuedRun(3, { taskKey }))
    .when(start(3))
    .then(started(3, { taskKey, sessionIdBefore, lastHeartbeatAt: NOW }));
});

test.each([
  ['a new one replaces the old one', report({ sessionId: 's9' }), 's9'],
  ['none keeps it', report(), 's2'],
  ['clearing removes it', report({ clearSession: true }), null],
])('%s, and leaves that of the agent', (_name, said, sessionIdAfter) => {
  const history = [...ran(1, null, 's1'), ...ran(2, 't', 's2'), ...running(3, 't', 's2')];
  const session = { taskKey: 't', sessionIdBefore: 's2', sessionIdAfter };
  const end = finished(3, { ...session, report: said });
  given(agent, history)
    .when(finish(3, { report: said }))
    .then(end);
  const kept = sessionIdAfter === null ? {} : { t: sessionIdAfter };
  expect(sessionsAfter(history, end)).toEqual({ own: 's1', ...kept });
});

describe('a reset', () => {
  const both = [...ran(1, null, 's1'), ...ran(2, 't', 's2')];

  test('of a task, or of the agent itself, leaves the other', () => {
    given(agent, both).when({ type: 'ResetSession', at: NOW, taskKey: 't' }).then(sessionResetOf('t'));
    expect(sessionsAfter(both, sessionResetOf('t'))).toEqual({ own: 's1' });
    expect(sessionsAfter(both, sessionReset)).toEqual({ own: null, t: 's2' });
  });

  test('of a task during a run wins over what that run says', () => {
    const said = report({ sessionId: 's9' });
    const session = { taskKey: 't', sessionIdBefore: 's2', sessionIdAfter: null, sessionReset: true };
    const history = [...both, ...running(3, 't', 's2'), sessionResetOf('t')];
    given(agent, history)
      .when(finish(3, { report: said }))
      .then(finished(3, { ...session, report: said }));
    expect(sessionsAfter(history, finished(3, session))).toEqual({ own: 's1' });
  });

  test.each([
    ['another task', 'u'],
    ['the agent itself', null],
  ])('of %s does not concern it', (_name, taskKey) => {
    const said = report({ sessionId: 's9' });
    const session = { taskKey: 't', sessionIdBefore: 's2', sessionIdAfter: 's9' };
    given(agent, both, running(3, 't', 's2'), sessionResetOf(taskKey))
      .when(finish(3, { report: said }))
      .then(finished(3, { ...session, report: said }));
  });
});

test('of many tasks the ones used last are remembered', () => {
  const many = Array.from({ length: MAX_TASK_SESSIONS }, (_, n) => ran(n, `t${n}`, `s${n}`)).flat();
  const { byTask } = (
    given(agent, many, ran(0, 't0', 'again'), ran(5_000, 'one more', 's')).state() as RegisteredAgent
  ).sessions;
  expect(byTask.size).toBe(MAX_TASK_SESSIONS);
  expect(byTask.get('t0')).toBe('again');
  expect(byTask.has('t1')).toBe(false);
});
