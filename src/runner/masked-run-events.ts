import type { RunEventInput, RunEventPlace, RunEventWriter } from './run-event-writer';
import type { RunSecrets } from './run-secrets';

/** Where the events of a run are written. */
export type RunEvents = Pick<RunEventWriter, 'append'>;

/**
 * Events whose texts may hold what an agent or a program has said. The others are of our own making, and are read again
 * after a restart; reported usage is masked where it is read.
 */
const MASKED_TYPES: ReadonlySet<RunEventInput['eventType']> = new Set(['adapter.invoke', 'error', 'note']);

/** Lets no secret of a run into its events. */
export class MaskedRunEvents implements RunEvents {
  constructor(
    private readonly events: RunEvents,
    private readonly secrets: RunSecrets,
  ) {}

  append(...events: readonly RunEventInput[]): Promise<readonly RunEventPlace[]> {
    return this.events.append(...events.map((event) => this.masked(event)));
  }

  private masked(event: RunEventInput): RunEventInput {
    if (!MASKED_TYPES.has(event.eventType)) return event;
    const { mask } = this.secrets;
    return { ...event, message: mask.text(event.message), payload: mask.texts(event.payload) };
  }
}
