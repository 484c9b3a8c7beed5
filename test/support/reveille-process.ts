import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { temporaryFolder } from './temporary-folder';
import { worldSettings } from './world';

const launcher = join(__dirname, '..', '..', 'bin', 'reveille.mjs');
/** In a checkout whose sources have changed the first start builds. */
export const BUILD_TIMEOUT_MS = 180_000;
const START_TIMEOUT_MS = 20_000;

export interface Exit {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
}

export interface CommandOutput extends Exit {
  stdout: string;
  stderr: string;
  stdoutBytes: Buffer;
}

export interface RunningCommand {
  readonly pid: number;
  /** So far. */
  stdout(): string;
  stderr(): string;
  kill(signal: NodeJS.Signals): void;
  exit: Promise<CommandOutput>;
}

export interface ReveilleProcess extends RunningCommand {
  url: string;
  dataDir: string;
}

type Environment = Record<string, string | undefined>;

const running = new Set<ChildProcess>();

/** Starts `reveille` as its users do, without what this process's environment sets for it. */
export function startCommand(args: readonly string[], environment: Environment = {}): RunningCommand {
  const child = spawn(process.execPath, [launcher, ...args], {
    env: { ...neutralEnvironment(), ...worldOf(args), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (part: Buffer) => stdout.push(part));
  child.stderr.on('data', (part: Buffer) => stderr.push(part));
  const exit = once(child, 'close').then(([exitCode, signal]): CommandOutput => {
    running.delete(child);
    const stdoutBytes = Buffer.concat(stdout);
    const text = { stdout: stdoutBytes.toString(), stderr: Buffer.concat(stderr).toString() };
    return {
      exitCode: exitCode as number | null,
      signal: signal as NodeJS.Signals | null,
      ...text,
      stdoutBytes,
    };
  });
  return {
    pid: child.pid!,
    stdout: () => Buffer.concat(stdout).toString(),
    stderr: () => Buffer.concat(stderr).toString(),
    kill: (signal) => void child.kill(signal),
    exit,
  };
}

/** Runs `reveille` to its end. A failing command is an answer, not an error. */
export function runCommand(args: readonly string[], environment: Environment = {}): Promise<CommandOutput> {
  return startCommand(args, environment).exit;
}

/** Starts a server on a free port, in a data folder of its own where none is named, and waits until it serves. */
export async function startReveille(
  flags: readonly string[] = [],
  environment: Environment = {},
): Promise<ReveilleProcess> {
  const named = flags.indexOf('--data-dir');
  const dataDir = named < 0 ? temporaryFolder() : flags[named + 1]!;
  const command = startCommand(['serve', '--port', '0', '--data-dir', dataDir, ...flags], environment);
  const url = await addressOf(command);
  return { ...command, url, dataDir };
}

/** Builds where that is needed, so that it takes nobody's time afterwards. */
export async function ensureBuilt(): Promise<void> {
  const { exitCode, stderr } = await runCommand(['--version']);
  if (exitCode !== 0) throw new Error(`reveille does not start: ${stderr}`);
}

/** Ends what a test has left running. */
export async function killCommands(): Promise<void> {
  const exits = [...running].map((child) => once(child, 'close'));
  for (const child of running) child.kill('SIGKILL');
  await Promise.all(exits);
}

async function addressOf(command: RunningCommand): Promise<string> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  let over: CommandOutput | undefined;
  void command.exit.then((output) => (over = output));
  for (;;) {
    const url = /^listening on (.+)\n/m.exec(command.stdout())?.[1];
    if (url !== undefined) return url;
    if (over) throw new Error(`the server has ended with exit code ${over.exitCode}: ${over.stderr}`);
    if (Date.now() > deadline) throw new Error(`the server does not serve: ${command.stderr()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A server whose data folder is known keeps its data where the tests of this world do. */
function worldOf(args: readonly string[]): Environment {
  const dataDir = args.at(args.indexOf('--data-dir') + 1);
  return args[0] === 'serve' && args.includes('--data-dir') ? worldSettings(dataDir!) : {};
}

/** The home folder is a temporary one, too: nothing of the user is read or written. */
function neutralEnvironment(): Environment {
  const kept = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('REVEILLE_') || name.startsWith('REVEILLE_TEST_'),
  );
  return { ...Object.fromEntries(kept), HOME: process.env.TMPDIR };
}
