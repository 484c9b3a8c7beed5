import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import { openBackends } from '../../src/backends';
import { environmentForAgents, readConfig } from '../../src/config';
import type { EventLog } from '../../src/event-log/event-log';
import type { EventToAppend } from '../../src/kernel/event';
import { startServer } from '../../src/server';
import { apiOf } from './server';
import type { TestServer } from './server';
import { worldSettings } from './world';

/** Where a server dies as by `kill -9`: at an append, or when a file of a run shows how far its process has come. */
export type CrashPoint = AppendPoint | FilePoint;

interface AppendPoint {
  /** Of the event that is appended. */
  type: string;
  /** Just before it, or when it is on disk and nobody knows. */
  when: 'before' | 'after';
  /** Only where its data holds this text. */
  says?: string;
  /** Which of them, from 1, in this life of the server. */
  nth?: number;
  /** The append waits, and the server with it, until this file is in the run's folder. */
  onceThereIs?: string;
}

interface FilePoint {
  /** In the run's folder. */
  file: string;
  is: 'there' | 'gone';
}

export interface CrashingServer extends TestServer {
  /** Answers when it has died, of its own hand. */
  died: Promise<void>;
  kill(): Promise<void>;
}

/** Starts a whole server, in a process of its own, that dies at a chosen point. */
export async function startCrashingServer(dataDir: string, point: CrashPoint): Promise<CrashingServer> {
  const hook = join(__dirname, 'typescript-hook.cjs');
  const child = spawn(process.execPath, ['-r', hook, __filename, dataDir, JSON.stringify(point)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exit = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  const died = exit.then(([code, signal]) => {
    if (signal !== 'SIGKILL') throw new Error(`the server has left with ${code ?? signal}`);
  });
  died.catch(() => undefined);
  let said = '';
  child.stdout.on('data', (part: Buffer) => (said += part.toString()));
  const urlOf = () => /^listening on (.+)\n/m.exec(said)?.[1];
  await untilTrue(() => urlOf() !== undefined || child.exitCode !== null || child.signalCode !== null);
  // A server that takes up runs may die before it can say where it listens.
  const url = urlOf() ?? 'http://127.0.0.1:1';
  const token = readFileSync(join(dataDir, 'admin-token'), 'utf8').trim();
  const { api, disconnect } = apiOf(url, token);
  const kill = async () => {
    disconnect();
    child.kill('SIGKILL');
    await exit;
  };
  return { url, token, dataDir, errors: [], api, close: kill, kill, died };
}

async function untilTrue(look: () => boolean): Promise<void> {
  while (!look()) await sleep(10);
}

async function main(dataDir: string, point: CrashPoint): Promise<void> {
  const config = readConfig({ host: '127.0.0.1', port: '0', dataDir }, worldSettings(dataDir));
  if ('file' in point) dieByFile(dataDir, point);
  const server = await startServer(
    config,
    environmentForAgents(),
    pino({ level: 'silent' }),
    async (...args) => {
      const { log, documents } = await openBackends(...args);
      return { log: 'type' in point ? dyingLog(log, dataDir, point) : log, documents };
    },
  );
  process.stdout.write(`listening on ${server.url}\n`);
}

function dyingLog(log: EventLog, dataDir: string, point: AppendPoint): EventLog {
  let seen = 0;
  const isMeant = ({ type, data }: EventToAppend) =>
    type === point.type &&
    (point.says === undefined || (typeof data === 'string' && data.includes(point.says))) &&
    ++seen === (point.nth ?? 1);
  return Object.assign(Object.create(log) as EventLog, {
    append: async (...args: Parameters<EventLog['append']>) => {
      if (!args[1].some(isMeant)) return log.append(...args);
      if (point.when === 'after') await log.append(...args);
      if (point.onceThereIs) await untilTrue(() => foldersWith(dataDir, point.onceThereIs!).length > 0);
      return die();
    },
  });
}

/** Looks all the time, so that hardly anything else happens in between. */
function dieByFile(dataDir: string, { file, is }: FilePoint): void {
  let wasThere = false;
  setInterval(() => {
    const isThere = foldersWith(dataDir, file).length > 0;
    if (is === 'there' ? isThere : wasThere && !isThere) void die();
    wasThere ||= isThere;
  }, 1);
}

function foldersWith(dataDir: string, file: string): string[] {
  const runs = join(dataDir, 'runs');
  return existsSync(runs) ? readdirSync(runs).filter((runId) => existsSync(join(runs, runId, file))) : [];
}

function die(): Promise<never> {
  process.kill(process.pid, 'SIGKILL');
  return new Promise<never>(() => undefined);
}

if (require.main === module) void main(process.argv[2]!, JSON.parse(process.argv[3]!) as CrashPoint);
