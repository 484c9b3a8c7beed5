import type { TestServer } from '../../support/server';
import { startTestServer } from '../../support/server';
import type { Company, Woken } from '../http/client';
import {
  expectProblem,
  expectStatus,
  Gate,
  get,
  getAgent,
  getRun,
  getWakeup,
  openCompany,
  registerAgent,
  scriptedAgent,
  shell,
  untilDecided,
  untilFinal,
  untilRunning,
  wake,
} from '../http/client';
import { runsOf, ServerClock, untilRuns } from './steps';

let server: TestServer;
let clock: ServerClock;

beforeAll(async () => {
  server = await startTestServer({ testClock: true });
  clock = new ServerClock(server);
});
afterAll(() => server.close());

describe('maxDailyRuns', () => {
  test('what goes beyond it is skipped, and the next day counts anew', async () => {
    // Well away from midnight, so that the day doesn't end in between.
    await clock.set(`${clock.in(86_400).slice(0, 10)}T12:00:00.000Z`);
    const agent = await scriptedAgent(server, 'true', { heartbeat: { maxDailyRuns: 2 } });
    for (let run = 1; run <= 2; run++) {
      const { wakeup } = await wake(server, agent.id);
      expect((await untilDecided(server, wakeup.id)).status).toBe('completed');
    }
    const beyond = await wake(server, agent.id);
    expect(beyond).toMatchObject({ wakeup: { status: 'skipped', skipReason: 'runs.dailyCap' }, run: null });
    await clock.advance(11.9 * 3_600);
    expect((await wake(server, agent.id)).wakeup.skipReason).toBe('runs.dailyCap');
    await clock.advance(0.2 * 3_600);
    const nextDay = await wake(server, agent.id);
    expect((await untilDecided(server, nextDay.wakeup.id)).status).toBe('completed');
    expect(await runsOf(server, agent)).toHaveLength(3);
  });

  test('a follow-up that it keeps from starting runs on the next day', async () => {
    await clock.set(`${clock.in(86_400).slice(0, 10)}T12:00:00.000Z`);
    const gate = new Gate();
    const heartbeat = { maxDailyRuns: 2, whenBusy: 'enqueue' };
    const agent = await scriptedAgent(server, gate.wait, { heartbeat });
    const first = await wake(server, agent.id);
    await untilRunning(server, first.run!.id);
    const second = await wake(server, agent.id);
    const patch = { runtimeConfig: { heartbeat: { maxDailyRuns: 1 } } };
    expectStatus(await server.api('PATCH', `/v1/agents/${agent.id}`, patch), 200);
    gate.open();
    await untilFinal(server, first.run!.id);
    expect((await getWakeup(server, second.wakeup.id)).status).toBe('queued');
    await clock.advance(12.1 * 3_600);
    expect((await untilDecided(server, second.wakeup.id)).status).toBe('completed');
  });
});

describe('the circuit breaker', () => {
  const heartbeat = { circuitBreaker: { failures: 2, coolDownSec: 600 } };

  async function failTwice(script: string, args: string[] = []) {
    const agent = await scriptedAgent(server, script, { heartbeat, args });
    for (let run = 1; run <= 2; run++) {
      expect((await untilDecided(server, (await wake(server, agent.id)).wakeup.id)).status).toBe('failed');
    }
    return agent;
  }

  test('opens after consecutive failures; a manual invoke passes', async () => {
    const agent = await failTwice('exit 1');
    const refused = await wake(server, agent.id);
    expect(refused).toMatchObject({ wakeup: { status: 'skipped', skipReason: 'circuit.open' }, run: null });
    const path = `/v1/agents/${agent.id}/invoke`;
    const manual = expectStatus(await server.api<Woken>('POST', path), 202);
    expect(manual.wakeup).toMatchObject({ status: 'queued', triggerDetail: 'manual' });
    expect((await untilDecided(server, manual.wakeup.id)).status).toBe('failed');
    expect((await wake(server, agent.id)).wakeup.skipReason).toBe('circuit.open');
  });

  test('after the cool-down there is one trial run, and its failure opens the circuit again', async () => {
    const gate = new Gate();
    const script = `[ -e "$1" ] || exit 1; ${gate.wait}; exit 1`;
    const trying = new Gate();
    const agent = await failTwice(script, [trying.path]);
    await clock.advance(601);
    trying.open();
    const trial = await wake(server, agent.id);
    await untilRunning(server, trial.run!.id);
    expect((await wake(server, agent.id)).wakeup).toMatchObject({
      status: 'skipped',
      skipReason: 'circuit.open',
    });
    gate.open();
    expect((await untilDecided(server, trial.wakeup.id)).status).toBe('failed');
    expect((await wake(server, agent.id)).wakeup.skipReason).toBe('circuit.open');
  });

  test('what is queued when it opens waits for the cool-down; who starts by hand does not', async () => {
    const healed = new Gate();
    const retry = { maxAttempts: 3, backoffSec: 0 };
    const agent = await scriptedAgent(server, `[ -e '${healed.path}' ]`, {
      heartbeat: { ...heartbeat, retry },
    });
    const first = await wake(server, agent.id);
    const [third] = await untilRuns(server, agent, 3);
    expect(third).toMatchObject({ attempt: 3, status: 'queued' });
    const manual = expectStatus(await server.api<Woken>('POST', `/v1/agents/${agent.id}/invoke`), 202);
    expect((await untilFinal(server, manual.run!.id)).status).toBe('failed');
    expect((await getRun(server, third!.id)).status).toBe('queued');
    healed.open();
    await clock.advance(601);
    expect((await untilDecided(server, first.wakeup.id)).status).toBe('completed');
  });

  test('a trial that succeeds closes it', async () => {
    const healed = new Gate();
    const agent = await failTwice('[ -e "$1" ]', [healed.path]);
    healed.open();
    expect((await wake(server, agent.id)).wakeup.skipReason).toBe('circuit.open');
    await clock.advance(601);
    for (let run = 1; run <= 2; run++) {
      const { wakeup } = await wake(server, agent.id);
      expect((await untilDecided(server, wakeup.id)).status).toBe('completed');
    }
  });

  test('a success in between starts the count anew', async () => {
    const agent = await scriptedAgent(server, 'exit "$(printf %s "{{context.code}}")"', { heartbeat });
    for (const code of ['1', '0', '1']) {
      const { wakeup } = await wake(server, agent.id, { contextSnapshot: { code } });
      await untilDecided(server, wakeup.id);
    }
    expect((await wake(server, agent.id, { contextSnapshot: { code: '0' } })).wakeup.status).toBe('queued');
  });
});

describe('a paused company', () => {
  const change = async (company: Company, what: 'pause' | 'resume') =>
    expectStatus(await server.api<Company>('POST', `/v1/companies/${company.id}/${what}`), 200);

  test('wakes nobody, ends what runs, and starts what waited after the resume', async () => {
    const gate = new Gate();
    const company = await openCompany(server);
    const heartbeat = { whenBusy: 'enqueue' };
    const agent = await registerAgent(server, company.id, { adapterConfig: shell(gate.wait), heartbeat });
    const other = await registerAgent(server, company.id, { adapterConfig: shell(gate.wait) });
    const running = await wake(server, agent.id);
    const held = await wake(server, agent.id);
    const late = await wake(server, other.id, { notBefore: clock.in(20) });
    await untilRunning(server, running.run!.id);

    expect((await change(company, 'pause')).status).toBe('paused');
    expect((await change(company, 'pause')).status).toBe('paused');
    expect(await get(server, `/v1/companies/${company.id}`)).toMatchObject({ status: 'paused' });
    const refused = await server.api('POST', `/v1/agents/${other.id}/wakeups`);
    expect(expectProblem(refused, 409, 'agent_not_wakeable').details.status).toBe('company.paused');
    expect(await untilFinal(server, running.run!.id)).toMatchObject({
      status: 'cancelled',
      endCause: 'pause',
    });
    await clock.advance(21);
    expect((await getWakeup(server, held.wakeup.id)).status).toBe('queued');
    expect((await getWakeup(server, late.wakeup.id)).status).toBe('deferred');
    expect(await getAgent(server, agent.id)).toMatchObject({ activeRunIds: [] });

    gate.open();
    expect((await change(company, 'resume')).status).toBe('active');
    expect((await change(company, 'resume')).status).toBe('active');
    expect((await untilDecided(server, held.wakeup.id)).status).toBe('completed');
    expect((await untilDecided(server, late.wakeup.id)).status).toBe('completed');
    const after = await wake(server, other.id);
    expect((await untilDecided(server, after.wakeup.id)).status).toBe('completed');
  });

  test('leaves other companies alone', async () => {
    const company = await openCompany(server);
    await change(company, 'pause');
    const agent = await scriptedAgent(server, 'true');
    const { wakeup } = await wake(server, agent.id);
    expect((await untilDecided(server, wakeup.id)).status).toBe('completed');
  });

  test('unknown: 404', async () => {
    const path = '/v1/companies/01890000-0000-7000-8000-000000000000/pause';
    expectProblem(await server.api('POST', path), 404, 'company_not_found');
  });
});

test('none of this was an error of the server', () => {
  expect(server.errors).toEqual([]);
});
