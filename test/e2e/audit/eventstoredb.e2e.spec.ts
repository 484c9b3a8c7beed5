import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { VerificationResult } from '../../../src/client';
import { ReveilleClient } from '../../../src/client';
import type { ProxiedNode } from '../../support/eventstoredb/node';
import { startProxiedNode } from '../../support/eventstoredb/node';
import {
  BUILD_TIMEOUT_MS,
  ensureBuilt,
  killCommands,
  runCommand,
  startReveille,
} from '../../support/reveille-process';
import { temporaryFolder } from '../../support/temporary-folder';
import { describeWhen } from '../../support/skips';
import { logIsEmbedded, NOT_EMBEDDED } from '../../support/world';

/** Chains and checkpoints survive a migration, whose positions are others, and go on behind it. */

let node: ProxiedNode;

beforeAll(ensureBuilt, BUILD_TIMEOUT_MS);
beforeAll(async () => (node = await startProxiedNode()));
afterAll(async () => {
  await killCommands();
  await node.stop();
});

describeWhen(logIsEmbedded, NOT_EMBEDDED)('a log that moves to EventStoreDB', () => {
  test('is verified there, and covered from there on', async () => {
    const dataDir = temporaryFolder();
    const flags = ['--data-dir', dataDir, '--auth', 'none', '--audit-checkpoint-events', '20'];
    const before = await startReveille(flags);
    const agentId = await work(new ReveilleClient({ url: before.url }));
    before.kill('SIGTERM');
    await before.exit;

    const settings = { EVENTSTOREDB_URL: node.url, REVEILLE_NAMESPACE: 'audited' };
    const migrated = await runCommand(
      ['migrate', '--from', 'embedded', '--to', 'eventstoredb', '--data-dir', dataDir],
      settings,
    );
    expect(migrated.exitCode).toBe(0);
    const after = await startReveille([...flags, '--event-log', 'eventstoredb'], settings);
    const api = new ReveilleClient({ url: after.url });
    const moved = await verification(api);
    expect(moved).toMatchObject({ ok: true, named: [] });
    expect(moved.checkpoints.count).toBeGreaterThan(1);

    await wakeTwice(api, agentId);
    const { number } = await api.signCheckpoint();
    expect(number).toBeGreaterThan(moved.checkpoints.count);
    const result = await verification(api);
    expect(result).toMatchObject({ ok: true, named: [], uncovered: 0, checkpoints: { count: number } });

    const { companyId } = await api.agent(agentId);
    const [file, key] = [join(dataDir, 'export.ndjson'), join(dataDir, 'key.pem')];
    const environment = { REVEILLE_URL: after.url };
    writeFileSync(key, (await api.auditKey()).publicKey);
    await runCommand(['audit', 'export', '--company', companyId, '--out', file], environment);
    const offline = await runCommand(['audit', 'verify', '--file', file, '--key', key]);
    expect(offline).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^verified: /) });
  }, 120_000);
});

async function work(api: ReveilleClient): Promise<string> {
  const { id } = await api.registerCompany({ name: 'Acme' });
  const adapterConfig = { command: 'sh', args: ['-c', 'echo héllo'] };
  const agent = await api.registerAgent(id, { name: 'Ada', adapterType: 'process', adapterConfig });
  await wakeTwice(api, agent.id);
  await wakeTwice(api, agent.id);
  return agent.id;
}

async function wakeTwice(api: ReveilleClient, agentId: string): Promise<void> {
  for (let run = 0; run < 2; run += 1) await api.untilSettled((await api.wake(agentId)).wakeup.id);
}

async function verification(api: ReveilleClient): Promise<VerificationResult> {
  for await (const step of api.verifyLog()) if (step.kind === 'result') return step.result;
  throw new Error('a verification without a result');
}
