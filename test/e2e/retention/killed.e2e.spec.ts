import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { VerificationResult } from '../../../src/client';
import { ReveilleClient } from '../../../src/client';
import { runLogStream } from '../../../src/kernel/streams';
import { BUILD_TIMEOUT_MS, ensureBuilt, killCommands, startReveille } from '../../support/reveille-process';
import { waitUntil } from '../../support/server';
import { describeWhen } from '../../support/skips';
import { temporaryFolder } from '../../support/temporary-folder';
import { logIsEmbedded, NOT_EMBEDDED } from '../../support/world';
import { OF_STREAM, TamperedLog } from '../audit/tampered-log';

/** A server is killed while it removes what has aged out, and the next one goes on with it. */

const OUTPUT_BYTES = 32 * 1024 * 1024;
const LONG_AFTER = '2040-01-01T00:00:00.000Z';

beforeAll(ensureBuilt, BUILD_TIMEOUT_MS);
afterAll(killCommands);

const dataDir = temporaryFolder();

async function serve() {
  const server = await startReveille(['--data-dir', dataDir, '--test-clock', 'true']);
  const token = readFileSync(join(dataDir, 'admin-token'), 'utf8').trim();
  const ask = (path: string, init: RequestInit = {}) =>
    fetch(`${server.url}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    });
  const setClock = () => ask('/v1/admin/tick', { method: 'POST', body: JSON.stringify({ now: LONG_AFTER }) });
  const removedBytes = async () => {
    const text = await (await ask('/metrics')).text();
    return Number(/^reveille_log_removed_bytes_total (\S+)$/m.exec(text)![1]);
  };
  return { server, api: new ReveilleClient({ url: server.url, token }), setClock, removedBytes };
}

async function verified(api: ReveilleClient): Promise<VerificationResult> {
  for await (const step of api.verifyLog()) if (step.kind === 'result') return step.result;
  throw new Error('a verification without a result');
}

describeWhen(logIsEmbedded, NOT_EMBEDDED)('a scavenging server', () => {
  test('may be killed at any time', async () => {
    const first = await serve();
    const { id } = await first.api.registerCompany({ name: 'Acme', logRetentionDays: 30 });
    const script = `head -c ${OUTPUT_BYTES} /dev/zero | tr '\\0' x`;
    const adapterConfig = { command: 'sh', args: ['-c', script] };
    const agent = await first.api.registerAgent(id, { name: 'Ada', adapterType: 'process', adapterConfig });
    const { wakeup, run } = await first.api.wake(agent.id);
    await first.api.untilSettled(wakeup.id);
    const stream = runLogStream(id, run!.id);
    const stored = (folder: string) =>
      TamperedLog.copyOf(folder).rows<{ revision: number }>(
        `SELECT revision FROM events WHERE ${OF_STREAM} ORDER BY revision`,
        [stream],
        'runlog.db',
      );
    await first.setClock();
    await waitUntil(async () => (await first.removedBytes()) > 0, 'something was removed');
    first.server.kill('SIGKILL');
    await first.server.exit;
    const left = stored(dataDir).map(({ revision }) => revision);
    const last = left.at(-1)!;
    expect(left.length).toBeGreaterThan(1);
    expect(left.length).toBeLessThan(last);
    // What is left is the end, without a hole.
    expect(left).toEqual(left.map((_, index) => last - left.length + 1 + index));

    const second = await serve();
    await second.setClock();
    const { ok, named } = await verified(second.api);
    expect({ ok, named }).toEqual({ ok: true, named: [] });
    const file = join(dataDir, 'stores', 'runlog.db');
    await waitUntil(() => statSync(file).size < 1024 * 1024, 'all of it is removed, and its room given back');
    const result = await verified(second.api);
    expect(result).toMatchObject({ ok: true, agedOut: { logs: 1, events: last, bytes: OUTPUT_BYTES } });
    expect(await second.api.run(run!.id)).toMatchObject({ logBytes: OUTPUT_BYTES, stdoutExcerpt: '' });
    second.server.kill('SIGTERM');
    expect(await second.server.exit).toMatchObject({ exitCode: 0 });
  }, 120_000);
});
