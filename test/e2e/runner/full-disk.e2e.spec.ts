import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { canMount, fillDisk, mountSmallDisk } from '../../support/small-disk';
import { findMarkedProcesses, waitUntilGone } from '../../support/jest/marked-processes';
import type { TestServer } from '../../support/server';
import { startTestServer, waitUntil } from '../../support/server';
import { describeWhen } from '../../support/skips';
import { temporaryFolder } from '../../support/temporary-folder';
import type { Run } from '../http/client';
import { Gate, getRun, runOnce, scriptedAgent, untilFinal, untilOutput, wake } from '../http/client';

const DISK_MB = 64;
const MEGABYTE = 1024 * 1024;
const LINES = 100;
const EVERY_LINE = Array.from({ length: LINES }, (_, line) => `line ${line}\n`).join('');
const COUNT = `i=0; while [ $i -lt ${LINES} ]; do echo "line $i"; i=$((i+1)); sleep 0.01; done`;

interface Ready {
  status: string;
  disk: { freeBytes: number; isShort: boolean };
}

describeWhen(canMount, 'no right to mount a disk')('a disk that is full', () => {
  let dataDir: string;
  let disk: { unmount: () => void };
  let server: TestServer;

  const isOnDisk = (folder: string) => {
    disk = mountSmallDisk(folder, DISK_MB);
  };
  beforeEach(() => {
    dataDir = join(temporaryFolder(), 'data');
  });
  afterEach(async () => {
    await server.close();
    disk.unmount();
  });

  test.each([
    ['for ever, and ignores SIGTERM', `trap '' TERM; yes`],
    ['a gigabyte, at once', 'exec head -c 1000000000 /dev/zero'],
  ])('by one run that writes %s: that one ends, and all others go on', async (_how, flood) => {
    isOnDisk(dataDir);
    server = await startTestServer({ dataDir });
    const quiet = await scriptedAgent(server, COUNT);
    const { run } = await wake(server, quiet.id);
    await untilOutput(server, run!.id, 'line 3');
    const flooding = await scriptedAgent(server, flood, {
      heartbeat: { logQuotaBytes: MEGABYTE, graceSec: 1 },
    });
    const flooded = await runOnce(server, flooding.id);
    expect(flooded).toMatchObject({ status: 'failed', errorCode: 'spool_failed' });
    expect(flooded.error).toMatch(/disk/);
    await expectNothingLeft(flooded);
    expect(await untilFinal(server, run!.id)).toMatchObject({
      status: 'succeeded',
      stdoutExcerpt: EVERY_LINE,
    });
    await untilWell();
    expect(await runOnce(server, quiet.id)).toMatchObject({ status: 'succeeded', stdoutExcerpt: EVERY_LINE });
    await restart();
    expect(await getRun(server, flooded.id)).toEqual(flooded);
    expect(await getRun(server, run!.id)).toMatchObject({ status: 'succeeded', logBytes: EVERY_LINE.length });
  });

  test('by something else, where only the runs are: they fail, and say why, until there is room', async () => {
    isOnDisk(join(dataDir, 'runs'));
    server = await startTestServer({ dataDir });
    const gate = new Gate();
    const agent = await scriptedAgent(server, `echo before; ${gate.wait}; echo after || true`);
    const { run } = await wake(server, agent.id);
    await untilOutput(server, run!.id, 'before');
    const ballast = fillDisk(join(dataDir, 'runs'));
    gate.open();
    const failed = await untilFinal(server, run!.id);
    expect(failed).toMatchObject({ status: 'failed', errorCode: 'spool_failed' });
    expect(failed.error).toMatch(/disk/);
    expect(failed.stdoutExcerpt).toMatch(/^before\n/);
    const next = await runOnce(server, agent.id);
    expect(next).toMatchObject({ status: 'failed', errorCode: 'spool_failed' });
    expect(await ready()).toMatchObject({ status: 'ill', disk: { isShort: true } });

    rmSync(ballast);
    expect(await runOnce(server, agent.id)).toMatchObject({ status: 'succeeded' });
    await untilWell();
  });

  async function restart(): Promise<void> {
    await server.close();
    server = await startTestServer({ dataDir });
  }

  async function ready(): Promise<Ready> {
    return (await server.api<Ready>('GET', '/health/ready')).body;
  }

  async function untilWell(): Promise<void> {
    await waitUntil(async () => (await ready()).status === 'ok', 'the server is well again');
  }

  async function expectNothingLeft({ id }: Run): Promise<void> {
    await waitUntil(() => !existsSync(join(dataDir, 'runs', id)), "the run's folder is gone");
    await waitUntilGone(id, 5_000);
    expect(findMarkedProcesses(id)).toEqual([]);
  }
});
