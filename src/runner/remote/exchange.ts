import type { ProcessTree } from '../process-tree';
import { messageOf, RunFailure } from '../run-failure';
import type { RunFolder } from '../run-folder';
import type { AnswerIntake } from './answer';
import { takeIn } from './answer';
import { AnswerFiles } from './answer-files';
import type { HttpRequest, HttpRules } from './http-request';
import { failed, sendRequest } from './http-request';

interface ExchangeDeps extends Omit<AnswerIntake, 'files' | 'rules' | 'onBytes'> {
  folder: RunFolder;
  rules: HttpRules;
}

/** A request and its answer: all there is of a remote run. To its supervision it is a process of one piece. */
export class Exchange implements ProcessTree {
  /** The answer is complete, or will never be. Never rejects. */
  readonly over: Promise<void>;
  /** When bytes have come last, in milliseconds since 1970. */
  lastByteAtMs = 0;
  /** When it was over. */
  overAt: Date | null = null;
  /** What went wrong, but for an ending that we have brought about; null where nothing did. */
  failure: RunFailure | null = null;
  private readonly aborting = new AbortController();

  constructor(
    private readonly request: HttpRequest,
    private readonly deps: ExchangeDeps,
  ) {
    this.over = this.carryOut(this.aborting.signal);
  }

  abort(): void {
    this.aborting.abort();
  }

  async living(): Promise<number[]> {
    return this.overAt === null ? [process.pid] : [];
  }

  /** There is nothing to be asked politely: the request is taken back. */
  async signal(): Promise<number[]> {
    const living = await this.living();
    this.abort();
    return living;
  }

  async remember(): Promise<void> {}

  private async carryOut(stop: AbortSignal): Promise<void> {
    const { folder, rules, clock } = this.deps;
    let files: AnswerFiles | null = null;
    try {
      files = await AnswerFiles.open(folder);
      const answer = await sendRequest(this.request, rules, stop);
      const onBytes = () => void (this.lastByteAtMs = Date.now());
      onBytes();
      await takeIn(answer, { ...this.deps, files, onBytes });
      await files.complete();
    } catch (error) {
      if (!stop.aborted) this.failure = asFailure(error);
    } finally {
      await files?.close().catch(() => undefined);
      this.overAt = clock.now();
    }
  }
}

function asFailure(error: unknown): RunFailure {
  if (error instanceof RunFailure) return error;
  const isReset = (error as NodeJS.ErrnoException).code === 'ECONNRESET';
  const what = isReset ? 'the connection was closed' : messageOf(error);
  return failed(`The answer broke off: ${what}`, error);
}
