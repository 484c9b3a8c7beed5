import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { ScenarioReport } from '../../bench/figure';

const ROOT = join(__dirname, '..', '..');

/** Runs `npm run bench` without npm. */
async function bench(...flags: string[]): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, ['scripts/bench.mjs', ...flags], { cwd: ROOT });
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (part: Buffer) => stdout.push(part));
  child.stderr.on('data', (part: Buffer) => stderr.push(part));
  const [exitCode] = (await once(child, 'close')) as [number];
  return { exitCode, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() };
}

describe('npm run bench', () => {
  it.each(['accepted', 'wake', 'noop', 'process', 'log', 'replay', 'tick', 'start', 'eventstoredb'])(
    'measures %s, and checks what it measures',
    async (name) => {
      const { exitCode, stdout, stderr } = await bench('--quick', '--json', `--only=${name}`);
      expect(stderr).not.toContain('bench:');
      expect(exitCode).toBe(0);
      const { reports } = JSON.parse(stdout) as { reports: ScenarioReport[] };
      expect(reports.map(({ scenario }) => scenario)).toEqual([name]);
      const [{ figures }] = reports as [ScenarioReport];
      expect(figures.length).toBeGreaterThan(0);
      for (const { value, check } of figures) {
        expect(value).toBeGreaterThan(0);
        expect(check).not.toBe('');
      }
    },
    300_000,
  );

  it('names the scenarios there are where it is asked for another one', async () => {
    const { exitCode, stderr } = await bench('--only=nothing');
    expect(exitCode).toBe(1);
    expect(stderr).toContain('replay');
  });
});
