import { join } from 'node:path';
import { runNode } from '../support/run-command';

const HALF_AN_HOUR_MS = 30 * 60_000;

test(
  'the tests notice every mutant',
  async () => {
    const { exitCode, stdout, stderr } = await runNode([join(__dirname, 'run.mjs')], { cwd: __dirname });
    if (exitCode !== 0) throw new Error(`${stdout}${stderr}`);
    expect(stdout).toMatch(/^(\d+) mutants, \1 caught, 0 survived$/m);
  },
  HALF_AN_HOUR_MS,
);
