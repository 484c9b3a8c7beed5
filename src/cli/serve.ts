import type { Logger } from 'pino';
import pino from 'pino';
import type { Config, SettingName } from '../config';
import { environmentForAgents, readConfig } from '../config';
import { DataFolderInUse } from '../data-folder';
import { demonstrate } from '../demo/demo';
import { StoreUnusable } from '../store-unusable';
import { CliError, ExitCode } from './failures';
import { say } from './output';
import type { StopSignals } from './stop-signal';
import { aborted, exitInTime, stopSignals } from './stop-signal';

/**
 * How the composition root starts a server.
 * @throws ConfigError, DataFolderInUse, StoreUnusable, what the system answers, and the abort reason when `stop` aborts meanwhile
 */
export type StartServer = (
  config: Config,
  environmentForAgents: Record<string, string>,
  logger: Logger,
  stop: AbortSignal,
) => Promise<Server>;

interface Server {
  url: string;
  adminToken: string;
  /** Claims nothing any more, and treats what is running as was configured. @param hurry ends the waiting */
  drain(hurry: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

export interface ServeOptions {
  /** As given on the command line. */
  flags: Partial<Record<SettingName, string>>;
  configFile: string | undefined;
  demo: boolean;
  /** Stops when the demo is over, and answers whether it went as told. */
  once: boolean;
}

/**
 * Serves until a signal comes. What becomes of local runs is up to `--drain`; by default they go on without the server.
 *
 * @throws ConfigError, CliError
 */
export async function serve(
  startServer: StartServer,
  { flags, configFile, demo, once }: ServeOptions,
): Promise<ExitCode> {
  const config = readConfig(flags, undefined, configFile);
  warn(config, flags);
  // Whoever only wants to know the address may close his end of the pipe.
  process.stdout.on('error', () => undefined);
  const { stop, hurry } = stopSignals();
  const server = await start(startServer, config, stop);
  if (server === null) return ExitCode.ok;
  const { url, adminToken } = server;
  // This line is what programs wait for: nothing else is on it.
  if (!stop.aborted) process.stdout.write(`listening on ${url}\n`);
  const demonstrated = demo
    ? demonstrate({ url, adminToken, dataDir: config.dataDir, staysUp: !once, stop })
    : Promise.resolve(true);
  const asTold = once ? await demonstrated : await aborted(stop).then(() => true);
  await shutDown(server, config, hurry);
  await demonstrated;
  return asTold ? ExitCode.ok : ExitCode.failed;
}

function warn({ auth }: Config, { mongodbUrl, eventstoredbUrl }: ServeOptions['flags']): void {
  if (auth === 'none') {
    say(
      'warning: --auth none: every program on this machine can drive this server, and run commands as its user',
    );
  }
  if ([mongodbUrl, eventstoredbUrl].some((url) => url?.includes('@'))) {
    say(
      'warning: every user of this machine can read a password on a command line: set MONGODB_URL or EVENTSTOREDB_URL',
    );
  }
  if (process.platform !== 'linux') {
    say(`warning: Reveille is made for Linux; on ${process.platform} it is best effort`);
  }
}

/** A server that waits for its agents closes in time once there are none left, or somebody is in a hurry. */
async function shutDown(server: Server, { drain }: Config, hurry: StopSignals['hurry']): Promise<void> {
  if (drain === 'leave') exitInTime();
  await server.drain(hurry);
  if (drain !== 'leave' && !hurry.aborted) exitInTime();
  await server.close();
}

/** Null where it was to stop before it had started. */
async function start(startServer: StartServer, config: Config, stop: AbortSignal): Promise<Server | null> {
  const logger = pino({ level: config.logLevel }, pino.destination({ dest: 2, sync: true }));
  const onStop = () => exitInTime();
  stop.addEventListener('abort', onStop);
  try {
    return await startServer(config, environmentForAgents(), logger, stop);
  } catch (error) {
    // Whatever has been opened by then must not keep a server that does not serve.
    exitInTime();
    if (stop.aborted) return null;
    throw understandable(error, config);
  } finally {
    stop.removeEventListener('abort', onStop);
  }
}

/** What can go wrong at the start for reasons that are not the program's own. */
function understandable(error: unknown, { host, port, dataDir }: Config): unknown {
  if (error instanceof DataFolderInUse) {
    return new CliError(
      `${error.message}: stop it, or choose another folder with --data-dir`,
      ExitCode.failed,
    );
  }
  if (error instanceof StoreUnusable) return new CliError(error.message, ExitCode.failed);
  const { code, syscall, message } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE') {
    const hint = 'choose another one with --port, or any free one with --port 0';
    return new CliError(`port ${port} of ${host} is in use: ${hint}`, ExitCode.failed);
  }
  if (syscall === 'listen' || syscall === 'getaddrinfo') {
    return new CliError(`cannot listen on --host ${host} --port ${port}: ${message}`, ExitCode.failed);
  }
  if (syscall !== undefined) {
    return new CliError(`cannot use the data folder ${dataDir}: ${message}`, ExitCode.failed);
  }
  return error;
}
