import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { extname, join } from 'node:path';
import { RunFailure } from './run-failure';
import type { FromSpawner, SpawnRequest, ToSpawner, WaitedExit } from './spawner-messages';

/** Works in `dist` as well as in `src`: there TypeScript runs by grace of a hook in `execArgv`. */
const EXTENSION = extname(__filename);
const PROGRAM = join(__dirname, `spawner.program${EXTENSION}`);

/** Something that has been started and waits to be told to go on. */
export interface Spawned {
  pid: number;
  /** Never rejects. Says nothing where the spawner did not see it. */
  exited: Promise<WaitedExit | null>;
  release: () => void;
  abandon: () => void;
}

/** What a request, and then its process, is waiting for; null: it will not be told. */
interface Waiting {
  settle: (answer: Exclude<FromSpawner, { kind: 'exited' }> | null) => void;
  exited: (exit: WaitedExit | null) => void;
}

/** The server's end of the process that starts processes; that is started with the first of them. */
export class Spawner {
  private process: ChildProcess | undefined;
  private readonly waiting = new Map<number, Waiting>();
  private lastId = 0;

  /** @param environment of the spawner itself; what it starts is given one of its own */
  constructor(private readonly environment: Readonly<Record<string, string>>) {}

  /** @throws RunFailure `spawn_failed`, `spool_failed` */
  async spawn(request: Omit<SpawnRequest, 'kind' | 'id'>, name: string): Promise<Spawned> {
    const process = (this.process ??= this.start());
    const id = ++this.lastId;
    let hasExited: Waiting['exited'] = () => undefined;
    const exited = new Promise<WaitedExit | null>((resolve) => (hasExited = resolve));
    const answer = await new Promise<Parameters<Waiting['settle']>[0]>((settle) => {
      this.waiting.set(id, { settle, exited: hasExited });
      tell(process, { kind: 'spawn', id, ...request }, () => this.forget(id));
    });
    if (answer?.kind === 'spawned') {
      const say = (kind: 'release' | 'abandon') => tell(process, { kind, id }, () => this.forget(id));
      return { pid: answer.pid, exited, release: () => say('release'), abandon: () => say('abandon') };
    }
    this.waiting.delete(id);
    if (answer?.part === 'files') {
      throw new RunFailure('spool_failed', `The spools could not be opened: ${answer.message}`);
    }
    const reason = answer?.message ?? 'the process that starts processes has ended';
    throw new RunFailure('spawn_failed', `Could not start ${name}: ${reason}`);
  }

  /** What has been released goes on. */
  async close(): Promise<void> {
    const { process } = this;
    if (!process?.connected) return;
    const left = new Promise((resolve) => process.once('exit', resolve));
    process.disconnect();
    process.ref();
    await left;
  }

  private start(): ChildProcess {
    const child = fork(PROGRAM, {
      execArgv: EXTENSION === '.ts' ? process.execArgv : [],
      env: this.environment,
      // A Ctrl-C at the terminal is for the server.
      detached: true,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    child.on('message', (message: FromSpawner) => this.take(message));
    child.once('exit', () => this.lose(child));
    child.on('error', () => this.lose(child));
    child.unref();
    child.channel?.unref();
    return child;
  }

  private take(message: FromSpawner): void {
    const waiting = this.waiting.get(message.id);
    if (message.kind !== 'exited') return waiting?.settle(message);
    this.waiting.delete(message.id);
    waiting?.exited({ code: message.code, signal: message.signal });
  }

  /** The next request starts another one. */
  private lose(child: ChildProcess): void {
    if (this.process === child) this.process = undefined;
    for (const id of [...this.waiting.keys()]) this.forget(id);
  }

  private forget(id: number): void {
    const waiting = this.waiting.get(id);
    this.waiting.delete(id);
    waiting?.settle(null);
    waiting?.exited(null);
  }
}

function tell(process: ChildProcess, message: ToSpawner, onLost: () => void): void {
  if (!process.connected) return onLost();
  process.send(message, (error) => {
    if (error) onLost();
  });
}
