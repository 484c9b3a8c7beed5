import { lifecycle } from '../../runs/domain/run.events';
import { MAX_COMPLAINTS } from '../events-file';
import type { ExecutionResult } from '../execution-result';
import { NOTHING_RAN } from '../execution-result';
import { prepare, startedEvent } from '../prepare';
import { RunFailure } from '../run-failure';
import type { RunLogWriter } from '../run-log-writer';
import type { LimitedAgent } from '../supervised-run';
import { SupervisedRun } from '../supervised-run';
import { Exchange } from './exchange';
import type { HttpRequest } from './http-request';
import { invokedEvent, requestOf } from './request-of';

/** What an earlier server has left behind of an exchange: nothing of it lives. */
const LEFT_BEHIND: LimitedAgent = {
  exited: Promise.resolve({ code: null, signal: null }),
  spawnedAtMs: null,
  leader: undefined,
  tree: { living: async () => [], signal: async () => [], remember: async () => undefined },
  isAlive: () => false,
};

/**
 * A run as one HTTP request to somebody else's service. What the answer says is spooled like the output of a process,
 * and recorded from there; but a connection does not outlive the server, and nobody can take it up again.
 */
export class RemoteRun extends SupervisedRun {
  protected readonly reportNames = { result: 'The result in the answer', events: 'answer' };
  private complaints = 0;

  protected async launched(writer: RunLogWriter): Promise<ExecutionResult> {
    if (this.ending.signal.aborted) return NOTHING_RAN;
    const request = await this.announced();
    this.folder.create(this.run.context, null, this.secrets.sealed);
    if (this.ending.signal.aborted) return NOTHING_RAN;
    const exchange = this.begin(request);
    try {
      return await this.supervisedExchange(exchange, writer);
    } finally {
      exchange.abort();
      await exchange.over;
    }
  }

  /** A request that may have been sent is not sent again: whether that does harm is for the retry policy to know. */
  protected async adopted(writer: RunLogWriter): Promise<ExecutionResult | null> {
    const { history, folder, ending } = this;
    if (!history.isInvoked) return null;
    if (!folder.exists()) return this.lost();
    const { failure } = await this.supervise(LEFT_BEHIND, writer);
    if (failure !== null) return resultOf(failure, null);
    const exit = folder.exit();
    if (exit !== null) return resultOf(null, exit.at);
    if (ending.signal.aborted) return NOTHING_RAN;
    return history.errors.size > 0 ? this.earlierResult() : this.lost();
  }

  /** Nothing can live of a run that is not supervised: whoever supervises it ends it first. */
  protected async endWhatLives() {
    return { survivors: [] };
  }

  /** Has every step on the log before it takes the next one. */
  private async announced(): Promise<HttpRequest> {
    const { run, deps, history, events, secrets } = this;
    const started = history.isStarted ? [] : [startedEvent(run)];
    try {
      const adapter = deps.adapters.get(run.adapterType);
      const remote = adapter?.kind === 'remote' ? adapter : undefined;
      const [ended, closed] = [this.ending.signal, this.closing.signal];
      const invocation = await prepare(run, remote, { ended, closed });
      const configured = await secrets.resolve(invocation.headers);
      const api = { url: deps.apiUrl(), token: deps.runToken(run) };
      const request = requestOf(invocation, configured, run, api);
      await events.append(...started.splice(0), invokedEvent(run, invocation, request));
      return request;
    } catch (error) {
      await events.append(...started);
      throw error;
    }
  }

  private async supervisedExchange(exchange: Exchange, writer: RunLogWriter): Promise<ExecutionResult> {
    const supervised = await this.supervise(
      {
        exited: exchange.over.then(() => ({ code: null, signal: null })),
        spawnedAtMs: null,
        leader: undefined,
        tree: exchange,
        isAlive: () => exchange.overAt === null,
        lastSignAtMs: () => exchange.lastByteAtMs,
      },
      writer,
    );
    const { failure } = exchange;
    const isOurEnding = supervised.failure !== null || this.ending.signal.aborted;
    if (failure !== null && !isOurEnding) await this.recordFailure(failure);
    return resultOf(supervised.failure ?? (isOurEnding ? null : failure), exchange.overAt);
  }

  private begin(request: HttpRequest): Exchange {
    const { folder, deps, secrets } = this;
    const { mask } = secrets;
    const onProblem = (text: string) => this.complain(text);
    return new Exchange(request, { folder, rules: deps.http, clock: deps.clock, mask, onProblem });
  }

  private async complain(problem: string): Promise<void> {
    if (++this.complaints > MAX_COMPLAINTS) return;
    const message = `A message of the answer was left out: ${problem}`;
    await this.events.append({ eventType: 'error', level: 'error', message });
  }

  private async lost(): Promise<ExecutionResult> {
    const failure = new RunFailure('process_lost', lifecycle.processLost);
    await this.recordError(failure.code, failure.message, await this.lossOfFormerLife());
    return resultOf(failure, null);
  }
}

function resultOf(failure: RunFailure | null, exitedAt: Date | null): ExecutionResult {
  return {
    ...NOTHING_RAN,
    exitedAt: exitedAt?.toISOString() ?? null,
    errorCode: failure?.code ?? null,
    error: failure?.message ?? null,
  };
}
