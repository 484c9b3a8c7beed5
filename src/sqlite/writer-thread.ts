import { extname } from 'node:path';
import { isNativeError } from 'node:util/types';
import { Worker } from 'node:worker_threads';
import type { FromThread, ThreadData, ToThread, WriterAccess } from './writer';
import { WriterDown } from './writer';

/** A thread holds statements and one group of requests: where that is not enough, something is wrong. */
const MEMORY = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 8 };
const FIRST_RESTART_MS = 50;
const LONGEST_RESTART_MS = 5_000;

export interface WriterThreadOptions<Request, Outcome, State> {
  /** The thread's program (see `serveWriter`), without its extension: that is the one of this file, compiled or not. */
  program: string;
  folder: string;
  /** Buffers of a request that the thread may have for itself. */
  transfer?: (request: Request) => readonly ArrayBuffer[];
  /** Told of all that was written together before the state that comes with it, and before anything is answered. */
  onWritten?: (requests: readonly Request[], outcomes: readonly Outcome[]) => void;
  /** Told before what follows from it: with every answer. */
  onState?: (state: State) => void;
  /** Told when the files have been opened, so also when a thread took the place of one that died. */
  onOpened?: (state: State) => void;
  /** Told of every death, and of every start that failed after it. */
  onFault: (error: unknown) => void;
}

type Written<Outcome, State> = Extract<FromThread<Outcome, State>, { kind: 'written' }>;

interface Pending<Request, Outcome> {
  requests: readonly Request[];
  resolve: (outcomes: readonly Outcome[]) => void;
  reject: (error: unknown) => void;
}

/**
 * A writer in a thread of its own, so that nobody waits while the disk works. A thread that dies is replaced: whatever
 * was on its way fails with `WriterDown`, since nobody knows whether it was written, and so does all that comes before
 * the files are open again.
 *
 * It is closed by a message: to end a thread inside of a call into SQLite aborts the process.
 */
export class WriterThread<Request, Outcome, State> implements WriterAccess<Request, Outcome> {
  private worker: Worker | null = null;
  private pending: Pending<Request, Outcome>[] = [];
  private ended: Promise<void> = Promise.resolve();
  private restart: NodeJS.Timeout | undefined;
  private isClosing = false;

  /** @throws what opening the files throws */
  static async open<Request, Outcome, State>(
    options: WriterThreadOptions<Request, Outcome, State>,
  ): Promise<WriterThread<Request, Outcome, State>> {
    const thread = new WriterThread<Request, Outcome, State>(options);
    await thread.start();
    return thread;
  }

  private constructor(private readonly options: WriterThreadOptions<Request, Outcome, State>) {}

  get isUp(): boolean {
    return this.worker !== null;
  }

  async write(requests: readonly Request[]): Promise<readonly Outcome[]> {
    const { worker } = this;
    if (!worker || this.isClosing) throw new WriterDown();
    const { transfer } = this.options;
    return new Promise((resolve, reject) => {
      const message: ToThread<Request> = { kind: 'write', requests };
      worker.postMessage(message, transfer ? requests.flatMap(transfer) : []);
      // A thread that has nothing to do keeps no process alive.
      worker.ref();
      this.pending.push({ requests, resolve, reject });
    });
  }

  async close(): Promise<void> {
    this.isClosing = true;
    clearTimeout(this.restart);
    const message: ToThread<Request> = { kind: 'close' };
    this.worker?.ref();
    this.worker?.postMessage(message);
    await this.ended;
  }

  /** Answers when the files are open. */
  private start(): Promise<void> {
    return new Promise((resolve, reject) => {
      const worker = startWorker(this.options.program, { folder: this.options.folder });
      let failure: unknown;
      worker.on('error', (error) => (failure = error));
      worker.on('message', (message: FromThread<Outcome, State>) => {
        switch (message.kind) {
          case 'opened':
            this.worker = worker;
            if (this.isClosing) worker.postMessage({ kind: 'close' });
            else worker.unref();
            this.options.onState?.(message.state);
            this.options.onOpened?.(message.state);
            return resolve();
          case 'refused':
            failure = message.error;
            return;
          case 'written':
            return this.settle(worker, message);
        }
      });
      this.ended = new Promise((left) => {
        worker.on('exit', () => {
          left();
          if (this.worker === worker) this.died(failure);
          else reject(isNativeError(failure) ? failure : new WriterDown({ cause: failure }));
        });
      });
    });
  }

  private settle(worker: Worker, { groups, state }: Written<Outcome, State>): void {
    const written = this.pending.splice(0, groups.length);
    this.options.onWritten?.(
      written.flatMap(({ requests }) => requests),
      groups.flat(),
    );
    this.options.onState?.(state);
    written.forEach(({ resolve }, index) => resolve(groups[index]!));
    if (this.pending.length === 0) worker.unref();
  }

  private died(cause: unknown): void {
    this.worker = null;
    const error = new WriterDown({ cause });
    for (const { reject } of this.pending.splice(0)) reject(error);
    if (this.isClosing) return;
    this.options.onFault(error);
    this.restartIn(FIRST_RESTART_MS);
  }

  private restartIn(delayMs: number): void {
    this.restart = setTimeout(() => {
      this.start().catch((error: unknown) => {
        if (this.isClosing) return;
        this.options.onFault(error);
        this.restartIn(Math.min(delayMs * 2, LONGEST_RESTART_MS));
      });
    }, delayMs).unref();
  }
}

/** TypeScript runs by grace of a hook that whoever runs it so has put into `execArgv`: the thread needs it as well. */
function startWorker(program: string, data: ThreadData): Worker {
  const extension = extname(__filename);
  const execArgv = extension === '.ts' ? process.execArgv : undefined;
  return new Worker(`${program}${extension}`, { workerData: data, execArgv, resourceLimits: MEMORY });
}
