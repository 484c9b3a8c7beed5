import { join } from 'node:path';
import { runNode } from '../support/run-command';

test('every mutant still finds the one place that it breaks', async () => {
  const script = join(__dirname, 'run.mjs');
  const { exitCode, stderr } = await runNode([script, '--check'], { cwd: __dirname });
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
});
