import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';

const NOOP_SERVER = join(__dirname, 'noop-server.cjs');

export interface ServerOptions {
  dataDir: string;
  maxRuns?: number;
  /** Whether it knows the adapter `noop`, whose runs succeed at once without executing anything. */
  noop?: boolean;
  flags?: readonly string[];
}

/** A real server, built, in a process of its own. */
export class ServerProcess {
  private constructor(
    private readonly child: ChildProcess,
    readonly url: string,
    readonly token: string,
    /** From the start of the process until it says that it serves. */
    readonly startMs: number,
  ) {}

  /** @param build the folder of the compiled program */
  static async start(
    build: string,
    { dataDir, maxRuns, noop, flags = [] }: ServerOptions,
  ): Promise<ServerProcess> {
    const program = noop ? [NOOP_SERVER, build] : [join(build, 'main.js')];
    const more = maxRuns === undefined ? [] : ['--max-runs', `${maxRuns}`];
    const args = [
      ...nodeFlags(),
      ...program,
      'serve',
      '--port',
      '0',
      '--data-dir',
      dataDir,
      ...more,
      ...flags,
    ];
    const startedAt = performance.now();
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], env: environment() });
    const url = await addressOf(child);
    const startMs = performance.now() - startedAt;
    const token = readFileSync(join(dataDir, 'admin-token'), 'utf8').trim();
    return new ServerProcess(child, url, token, startMs);
  }

  /** Resident memory in MiB: now, and the most it ever was. */
  memory(): { rssMb: number; peakRssMb: number } {
    const status = readFileSync(`/proc/${this.child.pid}/status`, 'utf8');
    const of = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)![1]) / 1024;
    return { rssMb: of('VmRSS'), peakRssMb: of('VmHWM') };
  }

  /** Processor time that the process has used so far, in milliseconds. */
  cpuMs(): number {
    const stat = readFileSync(`/proc/${this.child.pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // Fields 14 and 15 of the line, in ticks of 10 ms; `fields` begins with field 3.
    return (Number(fields[11]) + Number(fields[12])) * 10;
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null) return;
    const exited = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    const [code] = (await exited) as [number | null];
    if (code !== 0) throw new Error(`the server left with exit code ${code}`);
  }
}

async function addressOf(child: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: child.stdout! })) {
    const url = /^listening on (.+)$/.exec(line)?.[1];
    if (url !== undefined) return url;
  }
  throw new Error('the server did not start');
}

/** `REVEILLE_BENCH_NODE_FLAGS="--cpu-prof --cpu-prof-dir=/tmp/profiles" npm run bench` shows where the time goes. */
function nodeFlags(): string[] {
  return process.env.REVEILLE_BENCH_NODE_FLAGS?.split(' ') ?? [];
}

/** Nothing of the caller's settings. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('REVEILLE_')));
}
