import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findMarkedProcesses } from '../../support/jest/marked-processes';
import type { TestServer } from '../../support/server';
import { startTestServer, waitUntil } from '../../support/server';
import { temporaryFolder } from '../../support/temporary-folder';
import type { Run } from '../http/client';
import { expectStatus, Gate, getAgent, scriptedAgent, untilFinal, untilOutput, wake } from '../http/client';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ maxRuns: 20 });
});
afterAll(async () => {
  expect(server.errors).toEqual([]);
  await server.close();
});

/** Processes that agents have told of by writing their pids, one a line, into a file. */
class Told {
  readonly file = join(temporaryFolder(), 'pids');

  /** Waits for so many, all of them alive. */
  async untilAll(count: number): Promise<void> {
    await waitUntil(() => this.pids().length >= count, `${count} processes have said who they are`);
    expect(this.living()).toHaveLength(count);
  }

  living(): number[] {
    return this.pids().filter((pid) => {
      const stat = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, 'latin1') : ') Z';
      return !/\) [ZX]/.test(stat);
    });
  }

  private pids(): number[] {
    return existsSync(this.file) ? readFileSync(this.file, 'utf8').trim().split('\n').map(Number) : [];
  }
}

/**
 * One that obeys, one that ignores SIGTERM in a session of its own, a daemon that has lost its parents, one that is
 * stopped, and one without an environment.
 */
function family(told: Told, gate: Gate): string {
  const member = (script: string) => `'echo $$ >> ${told.file}; ${script.replaceAll("'", `'"'"'`)}'`;
  return `
    sh -c ${member('exec sleep 60')} &
    setsid sh -c ${member(`trap "" TERM; ${gate.wait}`)} &
    (setsid sh -c ${member('exec sleep 60')} &)
    sh -c ${member('kill -STOP $$; exec sleep 60')} &
    env -i setsid /bin/sh -c ${member('exec /bin/sleep 60')} &
    trap 'date +%s%3N > ${told.file}.heard; exit 3' TERM
    echo ready; while :; do sleep 0.02; done`;
}

const post = (path: string, body?: object) => server.api('POST', path, body);
const causes: [cause: string, status: string, heartbeat: object, act: (run: Run) => Promise<unknown>][] = [
  ['cancel', 'cancelled', {}, ({ id }) => post(`/v1/runs/${id}/cancel`)],
  ['pause', 'cancelled', {}, ({ agentId }) => post(`/v1/agents/${agentId}/pause`)],
  ['terminate', 'cancelled', {}, ({ agentId }) => post(`/v1/agents/${agentId}/terminate`)],
  ['interrupt', 'cancelled', { whenBusy: 'interrupt' }, ({ agentId }) => wake(server, agentId)],
  ['timeout', 'timed_out', { timeoutSec: 2 }, async () => undefined],
  ['silence', 'timed_out', { silenceTimeoutSec: 2 }, async () => undefined],
];

test.concurrent.each(causes)(
  '%s ends every process of the run, and says why first',
  async (cause, status, more, act) => {
    const [told, gate] = [new Told(), new Gate()];
    // The run that interrupts is a short one.
    const script = `[ -e ${told.file} ] && exit 0; ${family(told, gate)}`;
    const agent = await scriptedAgent(server, script, { heartbeat: { graceSec: 1, ...more } });
    const { run } = await wake(server, agent.id);
    await untilOutput(server, run!.id, 'ready');
    await told.untilAll(5);
    await act(run!);
    const ended = await untilFinal(server, run!.id);
    expect(told.living()).toEqual([]);
    expect(findMarkedProcesses(run!.id)).toEqual([]);
    expect(ended).toMatchObject({ status, endCause: cause, exitCode: 3 });
    const heardAtMs = Number(readFileSync(`${told.file}.heard`, 'utf8'));
    expect(Date.parse(ended.endRequestedAt!)).toBeLessThanOrEqual(heardAtMs);
    // The one that ignores SIGTERM had its grace.
    const tookMs = Date.parse(ended.finishedAt!) - Date.parse(ended.endRequestedAt!);
    expect(tookMs).toBeGreaterThanOrEqual(1_000);
    expect(tookMs).toBeLessThan(6_000);
  },
);

test('a stopped agent is let go on, so that it can leave as it likes', async () => {
  const agent = await scriptedAgent(
    server,
    `trap 'echo bye; exit 5' TERM; echo ready; kill -STOP $$; while :; do sleep 0.02; done`,
  );
  const { run } = await wake(server, agent.id);
  await untilOutput(server, run!.id, 'ready');
  expectStatus(await post(`/v1/runs/${run!.id}/cancel`), 202);
  expect(await untilFinal(server, run!.id)).toMatchObject({ exitCode: 5, stdoutExcerpt: 'ready\nbye\n' });
});

test('a process without environment, session and parents is ended where it was seen before it lost them', async () => {
  const [told, gate] = [new Told(), new Gate()];
  const hidden = `env -i setsid /bin/sh -c 'echo $$ >> ${told.file}; exec /bin/sleep 60'`;
  const agent = await scriptedAgent(server, `(${hidden} & sleep 2.5); echo ready; ${gate.wait}`, {
    heartbeat: { graceSec: 1 },
  });
  const { run } = await wake(server, agent.id);
  await untilOutput(server, run!.id, 'ready');
  await told.untilAll(1);
  expectStatus(await post(`/v1/runs/${run!.id}/cancel`), 202);
  expect(await untilFinal(server, run!.id)).toMatchObject({ status: 'cancelled' });
  expect(told.living()).toEqual([]);
});

test('an agent that leaves children behind has its own outcome, and they are ended 2 s later', async () => {
  const told = new Told();
  const agent = await scriptedAgent(
    server,
    `(setsid sh -c 'echo $$ >> ${told.file}; echo still here; exec sleep 60' &); while [ ! -s ${told.file} ]; do sleep 0.01; done; exit 0`,
  );
  const { run } = await wake(server, agent.id);
  const done = await untilFinal(server, run!.id);
  expect(done).toMatchObject({ status: 'succeeded', exitCode: 0, endCause: null });
  const { exitedAt } = done as Run & { exitedAt: string };
  const leftMs = Date.parse(done.finishedAt!) - Date.parse(exitedAt);
  expect(leftMs).toBeGreaterThanOrEqual(1_900);
  expect(leftMs).toBeLessThan(5_000);
  expect(told.living()).toEqual([]);
  expect(findMarkedProcesses(run!.id)).toEqual([]);
});

test.each([
  [
    'two hundred children that ignore SIGTERM',
    `trap '' TERM; i=0; while [ $i -lt 200 ]; do sleep 60 & i=$((i+1)); done; echo ready; wait`,
  ],
  [
    'a loop that forks while it is being killed',
    `trap '' TERM; echo ready; while [ -d "$1" ]; do sleep 1 & sleep 0.005; done`,
  ],
  [
    'processes that each start the next one in a session of its own, and leave',
    'for i in 1 2 3; do sh "$2" "$1" & done; echo ready; while [ -d "$1" ]; do sleep 0.05; done',
  ],
])('%s are ended', async (_what, script) => {
  const folder = temporaryFolder();
  const hopper = join(temporaryFolder(), 'hopper.sh');
  const hops = join(temporaryFolder(), 'hops');
  writeFileSync(hopper, `trap '' TERM; [ -d "$1" ] || exit; echo >> ${hops}; setsid sh "$0" "$1" &\n`);
  const agent = await scriptedAgent(server, script, { args: [folder, hopper], heartbeat: { graceSec: 1 } });
  const { run } = await wake(server, agent.id);
  await untilOutput(server, run!.id, 'ready');
  expect(findMarkedProcesses(run!.id).length).toBeGreaterThan(1);
  expectStatus(await post(`/v1/runs/${run!.id}/cancel`), 202);
  expect(await untilFinal(server, run!.id, 20_000)).toMatchObject({
    status: 'cancelled',
    errorCode: 'cancelled',
  });
  const hopped = existsSync(hops) ? statSync(hops).size : 0;
  expect(findMarkedProcesses(run!.id)).toEqual([]);
  expect(await getAgent(server, agent.id)).toMatchObject({ status: 'idle' });
  if (script.includes('$2')) expect(statSync(hops).size).toBe(hopped);
});
