import { join } from 'node:path';
import { runNode } from '../support/run-command';

const hook = join(__dirname, '..', 'support', 'typescript-hook.cjs');

/** A short form of `npm run test:faults`, which has more rounds, and scenarios of damaged stores and full disks. */
test('nothing is lost in three rounds of faults', async () => {
  const args = ['-r', hook, join(__dirname, 'main.ts'), '--rounds=3', '--only=rounds'];
  const { exitCode, stdout, stderr } = await runNode(args, { cwd: __dirname });
  if (exitCode !== 0) throw new Error(`${stdout}${stderr}`);
  expect(stdout).toMatch(/^seed \d+: 3 rounds, 3 faults, 0 losses$/m);
}, 240_000);
