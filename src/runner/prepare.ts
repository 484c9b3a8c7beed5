import type { z } from 'zod';
import type { InvocationContext } from '../adapters/adapter';
import { lifecycle } from '../runs/domain/run.events';
import { orAborted } from '../kernel/pause';
import type { ClaimedRun } from './run-authority';
import type { RunEventInput } from './run-event-writer';
import { messageOf, RunFailure } from './run-failure';

/** How long an adapter may take to say what to execute. */
const PREPARATION_MS = 60_000;

/** What all adapters have in common, whatever they prepare. */
interface Preparing<Invocation> {
  readonly configSchema: z.ZodType;
  prepare(config: unknown, run: InvocationContext): Invocation | Promise<Invocation>;
}

/**
 * An adapter that does not answer must keep neither a run that is to end nor a server that stops.
 *
 * @throws RunFailure `adapter_unknown`, `adapter_failed`, and the abort reason when `closed` aborts
 */
export async function prepare<Invocation>(
  run: ClaimedRun,
  adapter: Preparing<Invocation> | undefined,
  { ended, closed }: { ended: AbortSignal; closed: AbortSignal },
): Promise<Invocation> {
  if (!adapter) throw new RunFailure('adapter_unknown', `There is no adapter of type ${run.adapterType}`);
  const patience = AbortSignal.timeout(PREPARATION_MS);
  try {
    const preparing = Promise.resolve(adapter.prepare(adapter.configSchema.parse(run.adapterConfig), run));
    return await orAborted(preparing, AbortSignal.any([ended, closed, patience]));
  } catch (cause) {
    closed.throwIfAborted();
    if (ended.aborted || patience.aborted) {
      const message = `The adapter ${run.adapterType} did not say what to execute`;
      throw new RunFailure('adapter_failed', message, { cause });
    }
    throw new RunFailure('adapter_failed', messageOf(cause) || 'Adapter failed', { cause });
  }
}

export function startedEvent({ nodeId, claimId, attempt }: ClaimedRun): RunEventInput {
  return { eventType: 'lifecycle', message: lifecycle.started, payload: { nodeId, claimId, attempt } };
}
