import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { LocalInvocation } from '../adapters/adapter';
import { secretNames } from '../adapters/adapter';
import type { RunEventInput } from './run-event-writer';
import { agentEnvironment } from './agent-environment';
import type { RunEvents } from './masked-run-events';
import { resolveCommand } from './resolve-command';
import type { ClaimedRun } from './run-authority';
import { prepare, startedEvent } from './prepare';
import type { RunFolder } from './run-folder';
import type { RunHistory } from './run-history';
import type { RunSecrets } from './run-secrets';
import type { RunProcess, SpawnedProcess } from './run-process';
import { spawnWrapper } from './run-process';
import type { RunDeps } from './runner-deps';

const MAX_SHOWN_ARGS = 64;
const MAX_SHOWN_ARG_LENGTH = 4096;

interface Launch {
  run: ClaimedRun;
  folder: RunFolder;
  history: RunHistory;
  events: RunEvents;
  secrets: RunSecrets;
  /** Aborted where the run is to end. */
  ended: AbortSignal;
  /** Leaves the run alone, as it is: the server stops. */
  closed: AbortSignal;
  deps: Pick<RunDeps, 'adapters' | 'environment' | 'apiUrl' | 'runToken' | 'spawner' | 'workspacesFolder'>;
}

/**
 * Starts a run of which nothing was executed yet, and has every step on the log before it takes the next one. Where
 * the run was ended meanwhile, the process leaves without having executed anything.
 *
 * @throws RunFailure `adapter_unknown`, `adapter_failed`, `spawn_failed`, `spool_failed`
 */
export async function launch({
  run,
  folder,
  history,
  events,
  secrets,
  ended,
  closed,
  deps,
}: Launch): Promise<RunProcess> {
  const started = history.isStarted ? [] : [startedEvent(run)];
  let invocation: LocalInvocation;
  let configured: Record<string, string>;
  try {
    const adapter = deps.adapters.get(run.adapterType);
    const local = adapter?.kind === 'local' ? adapter : undefined;
    invocation = await prepare(run, local, { ended, closed });
    configured = await secrets.resolve({ ...invocation.env, ...invocation.envFiles });
  } catch (error) {
    await events.append(...started);
    throw error;
  }
  const files = Object.keys(invocation.envFiles ?? {}).map((name) => [name, configured[name]!] as const);
  for (const [name] of files) configured[name] = folder.envFile(name);
  const cwd = workingFolder(invocation, run, folder, deps.workspacesFolder);
  const api = { url: deps.apiUrl(), token: deps.runToken(run) };
  const env = agentEnvironment(deps.environment, configured, run, folder, api);
  const invoked = history.isInvoked ? [] : [invokedEvent(run, invocation, cwd, env)];
  await events.append(...started, ...invoked);

  folder.create(run.context, invocation.stdin, secrets.sealed, files);
  if (invocation.cwd === null) mkdirSync(cwd, { recursive: true, mode: 0o700 });
  const command = resolveCommand(invocation.command, cwd, env.PATH);
  const hasStdin = invocation.stdin !== null;
  const process = await spawnWrapper(
    { folder, command, args: invocation.args, cwd, env, hasStdin },
    deps.spawner,
    closed,
  );
  return release(process, events, ended);
}

function workingFolder(
  { cwd, workspace }: LocalInvocation,
  { agentId }: ClaimedRun,
  folder: RunFolder,
  workspacesFolder: string,
): string {
  if (cwd !== null) return resolve(cwd);
  return workspace === 'agent' ? join(workspacesFolder, agentId) : folder.workFolder;
}

/** The wrapper executes nothing before it gets its line, and gets it only once the process is on the log. */
async function release(process: SpawnedProcess, events: RunEvents, ended: AbortSignal): Promise<RunProcess> {
  try {
    await events.append({
      eventType: 'process',
      message: 'process spawned',
      payload: { ...process.identity },
    });
  } catch (error) {
    process.abandon();
    throw error;
  }
  if (ended.aborted) process.abandon();
  else process.release();
  return process;
}

/** Says what is executed, never a value of the environment, and of long arguments only their beginning. */
function invokedEvent(
  run: ClaimedRun,
  { command, args, stdin, env: configured, envFiles }: LocalInvocation,
  cwd: string,
  env: Readonly<Record<string, string>>,
): RunEventInput {
  const payload = {
    adapterType: run.adapterType,
    command,
    args: args.slice(0, MAX_SHOWN_ARGS).map((arg) => arg.slice(0, MAX_SHOWN_ARG_LENGTH)),
    argCount: args.length,
    cwd,
    envNames: Object.keys(env).sort(),
    secretNames: secretNames({ ...configured, ...envFiles }),
    stdinBytes: Buffer.byteLength(stdin ?? ''),
  };
  return { eventType: 'adapter.invoke', message: `${run.adapterType}: ${command}`, payload };
}
