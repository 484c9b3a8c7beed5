import { setTimeout as sleep } from 'node:timers/promises';
import { projections } from '../../../src/node';
import * as history from '../../support/agent-history';
import { prepareLog } from '../../support/prepared-log';
import { startTestServer, waitUntil } from '../../support/server';
import { temporaryFolder } from '../../support/temporary-folder';
import type { ConsumerAnswer, JobAnswer } from '../../../src/client';
import { caughtUp, get } from '../http/client';

const RUNS = 30_000;
const BATCH = 500;
const MINUTES = 60_000;
const SAGAS = ['execution', 'deferred_release', 'company_stop', 'schedule'];

/** An agent that has been woken very often: four events a run. */
function* longLife() {
  yield [history.registered()];
  for (let from = 1; from <= RUNS; from += BATCH) {
    yield Array.from({ length: BATCH }, (_, index) => [
      ...history.runningRun(from + index),
      history.finished(from + index, { settlement: history.settlement(1) }),
    ]).flat();
  }
}

test(
  'every projection is rebuilt from 120,000 events and is equal, while the server answers',
  async () => {
    const dataDir = temporaryFolder();
    await prepareLog(dataDir, 'agent-company-1.agent-1', longLife(), SAGAS);
    const server = await startTestServer({ dataDir });
    await caughtUp(server, undefined, 5 * MINUTES);
    const perform = async (kind: string, name: string) => {
      const { body } = await server.api<JobAnswer>('POST', `/v1/admin/projections/${name}/${kind}`);
      const look = async () => {
        const job = await get<JobAnswer>(server, `/v1/admin/jobs/${body.id}`);
        return job.finishedAt !== null && job;
      };
      return waitUntil(look, `the ${kind} of ${name} is over`, 5 * MINUTES);
    };
    let isOver = false;
    const delaysMs: number[] = [];
    const asking = (async () => {
      for (; !isOver; await sleep(50)) {
        const beganAt = Date.now();
        await get(server, '/health/live');
        delaysMs.push(Date.now() - beganAt);
      }
    })();
    for (const { name } of projections) {
      const rebuilt = await perform('rebuild', name);
      expect(rebuilt).toMatchObject({ status: 'succeeded', events: 4 * RUNS + 1 });
      const compared = await perform('compare', name);
      expect(compared.result).toMatchObject({ equal: true });
      const { documents } = compared.result!;
      const speed = `rebuilt at ${rebuilt.eventsPerSec} events/s, compared at ${compared.eventsPerSec} events/s`;
      console.info(`${name}: ${documents.live} documents, ${speed}`);
      expect(rebuilt.eventsPerSec).toBeGreaterThan(500);
    }
    isOver = true;
    await asking;
    delaysMs.sort((a, b) => a - b);
    const [median, worst] = [delaysMs[Math.floor(delaysMs.length / 2)]!, delaysMs.at(-1)!];
    console.info(`answers meanwhile: ${median} ms in the median, ${worst} ms at worst`);
    const { items } = await get<{ items: ConsumerAnswer[] }>(server, '/v1/admin/projections');
    for (const { status } of items) expect(status).toBe('running');
    expect(server.errors).toEqual([]);
    await server.close();
  },
  15 * MINUTES,
);
