import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestServer } from '../../support/server';
import { startTestServer } from '../../support/server';
import { runOnce, scriptedAgent, untilFinal, untilOutput, wake } from '../http/client';

let server: TestServer;
/** Of servers that other tests have started in this process. */
let others: number[] = [];
beforeAll(async () => {
  others = spawners();
  server = await startTestServer();
});
afterAll(() => server.close());

/** Processes that this one has started and that do nothing but start others. */
function spawners(): number[] {
  const statOf = (pid: string): string => {
    try {
      return readFileSync(`/proc/${pid}/stat`, 'utf8');
    } catch {
      return '';
    }
  };
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => isSpawner(statOf(pid)) && !others.includes(Number(pid))).map(Number);
}

function isSpawner(stat: string): boolean {
  const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return stat.includes('(reveille spawne') && Number(parent) === process.pid;
}

describe('the process that starts processes', () => {
  it('is one, however many runs there are', async () => {
    const agent = await scriptedAgent(server, 'echo one');
    await Promise.all([runOnce(server, agent.id), runOnce(server, (await scriptedAgent(server, 'true')).id)]);
    expect(spawners()).toHaveLength(1);
  });

  it('may be killed: what runs goes on to its true end, and the next run is started by another', async () => {
    const agent = await scriptedAgent(server, 'echo begun; sleep 1; echo to the end; exit 7');
    const { run: begun } = await wake(server, agent.id);
    await untilOutput(server, begun!.id, 'begun\n');
    const [killed] = spawners();

    process.kill(killed!, 'SIGKILL');

    const run = await untilFinal(server, begun!.id);
    expect(run).toMatchObject({ status: 'failed', exitCode: 7, stdoutExcerpt: 'begun\nto the end\n' });
    expect((await runOnce(server, (await scriptedAgent(server, 'echo again')).id)).stdoutExcerpt).toBe(
      'again\n',
    );
    while (spawners().includes(killed!)) await sleep(10);
    expect(spawners()).toHaveLength(1);
  });
});
