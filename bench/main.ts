import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { ScenarioReport } from './figure';
import { table } from './report';
import type { Scenario } from './scenario';
import { scenarios } from './scenarios';
import { ServerProcess } from './server-process';

const DIST = join(__dirname, '..', 'dist');

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    build: { type: 'string', default: DIST },
    folder: { type: 'string', default: tmpdir() },
  },
});

/** Measures the scenarios one after the other, each with servers and folders of its own. */
async function main(): Promise<void> {
  const only = values.only?.split(',');
  const unknown = only?.find((name) => !scenarios.some((scenario) => scenario.name === name));
  if (unknown !== undefined) {
    const known = scenarios.map(({ name, about }) => `  ${name.padEnd(12)} ${about}`).join('\n');
    throw new Error(`there is no scenario ${unknown}. There are:\n${known}`);
  }
  const reports: ScenarioReport[] = [];
  for (const scenario of scenarios) {
    if (only && !only.includes(scenario.name)) continue;
    if (!values.json) process.stderr.write(`${scenario.name}: ${scenario.about} …\n`);
    reports.push(await measure(scenario));
  }
  const [cpu] = cpus();
  const machine = {
    cpu: `${cpus().length} × ${cpu?.model.trim()}`,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    quick: values.quick,
    at: new Date().toISOString(),
  };
  process.stdout.write(
    values.json ? `${JSON.stringify({ machine, reports }, null, 2)}\n` : table(machine, reports),
  );
}

async function measure(scenario: Scenario): Promise<ScenarioReport> {
  const folders: string[] = [];
  const servers: ServerProcess[] = [];
  const newFolder = () => {
    const folder = mkdtempSync(join(values.folder, 'reveille-bench-'));
    folders.push(folder);
    return folder;
  };
  try {
    const measured = await scenario.run({
      quick: values.quick,
      newFolder,
      startServer: async (options) => {
        const server = await ServerProcess.start(values.build, { dataDir: newFolder(), ...options });
        servers.push(server);
        return server;
      },
    });
    return { scenario: scenario.name, ...measured };
  } finally {
    for (const server of servers) await server.stop();
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`bench: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
});
