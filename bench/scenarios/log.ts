import { createHash } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { copyAndHash } from '../baselines';
import { assertSame } from '../figure';
import { Api } from '../load/api';
import type { Scenario } from '../scenario';

const MEGABYTES = 256;
const MEGABYTE = 1024 * 1024;

interface Run {
  id: string;
  status: string;
  startedAt: string;
  finishedAt: string | null;
  logs: { stdout: { bytes: number; sha256: string } };
}

/** One agent that writes as fast as it can. */
export const log: Scenario = {
  name: 'log',
  about: 'an agent that writes 256 MiB: recorded, hashed, and read again',
  async run({ quick, newFolder, startServer }) {
    const megabytes = quick ? MEGABYTES / 8 : MEGABYTES;
    const dataDir = newFolder();
    const output = writeOutput(join(newFolder(), 'output'), megabytes);
    const server = await startServer({ dataDir });
    const api = await Api.open(server);
    const [agent] = await api.agents(await api.company(), 1, {
      adapterConfig: { command: 'cat', args: [output.path] },
      heartbeat: { logQuotaBytes: 2 * MEGABYTES * MEGABYTE },
    });
    const { run } = await api.post<{ run: { id: string } }>(`/v1/agents/${agent}/wakeups`, {});
    const ended = await untilEnded(api, run.id);
    const { peakRssMb } = server.memory();
    const seconds = (Date.parse(ended.finishedAt!) - Date.parse(ended.startedAt)) / 1000;
    assertSame('bytes', ended.logs.stdout.bytes, megabytes * MEGABYTE);
    assertSame('SHA-256 of the run', ended.logs.stdout.sha256, output.sha256);
    assertSame('SHA-256 of the log as read again', await downloaded(server, run.id), output.sha256);
    api.close();
    const check = `${megabytes} MiB, SHA-256 of what was written, recorded and read again are one`;
    return {
      figures: [
        {
          name: 'recorded, from RunStarted to RunFinished',
          value: (megabytes * 1.048576) / seconds,
          unit: 'MB/s',
          target: { atLeast: 60 },
          check,
        },
        { name: 'peak memory', value: peakRssMb, unit: 'MiB', target: { atMost: 250 }, check: 'VmHWM' },
      ],
      baselines: copyAndHash(newFolder(), megabytes),
    };
  },
};

/** Lines of text, each of them another one. */
function writeOutput(path: string, megabytes: number): { path: string; sha256: string } {
  const file = openSync(path, 'w');
  const hash = createHash('sha256');
  for (let index = 0; index < megabytes; index++) {
    const line = `${index} the quick brown fox jumps over the lazy dog\n`;
    const bytes = Buffer.from(line.repeat(Math.ceil(MEGABYTE / line.length))).subarray(0, MEGABYTE);
    hash.update(bytes);
    writeSync(file, bytes);
  }
  closeSync(file);
  return { path, sha256: hash.digest('hex') };
}

async function untilEnded(api: Api, runId: string): Promise<Run> {
  for (;;) {
    const run = await api.get<Run>(`/v1/runs/${runId}`);
    if (run.finishedAt !== null) {
      assertSame('status', run.status, 'succeeded');
      return run;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function downloaded(server: { url: string; token: string }, runId: string): Promise<string> {
  const headers = { authorization: `Bearer ${server.token}`, accept: 'text/plain' };
  return new Promise((resolve, reject) => {
    get(`${server.url}/v1/runs/${runId}/log?stream=stdout`, { headers }, (answer) => {
      const hash = createHash('sha256');
      answer.on('data', (part: Buffer) => hash.update(part));
      answer.on('error', reject);
      answer.on('end', () => resolve(hash.digest('hex')));
    }).on('error', reject);
  });
}
