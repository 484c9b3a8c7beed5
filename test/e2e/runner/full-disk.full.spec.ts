import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { startTestServer, waitUntil } from '../../support/server';
import { canMount, fillDisk, mountSmallDisk } from '../../support/small-disk';
import { testWhen } from '../../support/skips';
import { temporaryFolder } from '../../support/temporary-folder';
import { getRun, getWakeup, runOnce, scriptedAgent, untilFinal, untilOutput, wake } from '../http/client';

const LINES = 100;
const EVERY_LINE = Array.from({ length: LINES }, (_, line) => `line ${line}\n`).join('');
const COUNT = `i=0; while [ $i -lt ${LINES} ]; do echo "line $i"; i=$((i+1)); sleep 0.01; done`;

testWhen(canMount, 'no right to mount a disk')(
  'a disk that something else has filled: writes are refused, what was acknowledged is kept, and with room all goes on',
  async () => {
    const dataDir = join(temporaryFolder(), 'data');
    const disk = mountSmallDisk(dataDir, 64);
    let server = await startTestServer({ dataDir });
    const status = async () => (await server.api<{ status: string }>('GET', '/health/ready')).body.status;
    try {
      const agent = await scriptedAgent(server, COUNT);
      const other = await scriptedAgent(server, 'true');
      const { run } = await wake(server, agent.id);
      await untilOutput(server, run!.id, 'line 3');
      const ballast = fillDisk(dataDir);
      const answers = await Promise.all(
        Array.from({ length: 40 }, () =>
          server.api<{ wakeup: { id: string } }>('POST', `/v1/agents/${other.id}/wakeups`),
        ),
      );
      const accepted = answers.filter((answer) => answer.status === 202);
      expect(answers.filter((answer) => answer.status === 503).length).toBe(answers.length - accepted.length);
      expect(await status()).toBe('ill');

      rmSync(ballast);
      await waitUntil(async () => (await status()) === 'ok', 'the server is well again');
      const final = await untilFinal(server, run!.id);
      for (const { body } of accepted)
        expect((await getWakeup(server, body.wakeup.id)).id).toBe(body.wakeup.id);
      expect(await runOnce(server, agent.id)).toMatchObject({
        status: 'succeeded',
        stdoutExcerpt: EVERY_LINE,
      });
      await server.close();
      server = await startTestServer({ dataDir });
      expect(await getRun(server, final.id)).toEqual(final);
    } finally {
      await server.close();
      disk.unmount();
    }
  },
  90_000,
);
