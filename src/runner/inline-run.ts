import type { InlineAdapter } from '../adapters/adapter';
import { lifecycle } from '../runs/domain/run.events';
import type { ExecutionResult } from './execution-result';
import { NOTHING_RAN } from './execution-result';
import { startedEvent } from './prepare';
import type { RunEventInput } from './run-event-writer';
import { messageOf, RunFailure } from './run-failure';
import { SupervisedRun } from './supervised-run';

/** A run whose work is done in this process. It has no folder and no output, and ends with its server. */
export class InlineRun extends SupervisedRun {
  protected readonly reportNames = { result: 'The result', events: 'events' };

  protected async launched(): Promise<ExecutionResult> {
    const { run, deps, events, ending, history } = this;
    if (ending.signal.aborted) return NOTHING_RAN;
    const adapter = deps.adapters.get(run.adapterType) as InlineAdapter;
    const started = history.isStarted ? [] : [startedEvent(run)];
    await events.append(...started, invokedEvent(run.adapterType));
    try {
      const config = adapter.configSchema.parse(run.adapterConfig);
      await adapter.execute(config, run, AbortSignal.any([ending.signal, this.closing.signal]));
    } catch (cause) {
      if (ending.signal.aborted) return NOTHING_RAN;
      throw new RunFailure('adapter_failed', messageOf(cause) || 'Adapter failed', { cause });
    }
    return { ...NOTHING_RAN, exitedAt: deps.clock.now().toISOString() };
  }

  /** What was begun may have been done: whether doing it again does harm is for the retry policy to know. */
  protected async adopted(): Promise<ExecutionResult | null> {
    if (!this.history.isInvoked) return null;
    const { code, message } = new RunFailure('process_lost', lifecycle.processLost);
    await this.recordError(code, message, await this.lossOfFormerLife());
    return { ...NOTHING_RAN, errorCode: code, error: message };
  }

  /** Nothing of it lives outside of `launched`. */
  protected async endWhatLives() {
    return { survivors: [] };
  }
}

function invokedEvent(adapterType: string): RunEventInput {
  return { eventType: 'adapter.invoke', message: adapterType, payload: { adapterType } };
}
