import type { DomainEvent, Recorded } from '../kernel/event';

/**
 * Brings something about that no single stream can: an event in, commands out. Pure. The runner executes the commands
 * and then stores its checkpoint, so after a crash a command may come again: its handler answers with nothing new.
 */
export interface Saga<E extends DomainEvent = DomainEvent, C extends SagaCommand = SagaCommand> {
  readonly name: string;
  readonly handles: readonly E['type'][];
  react(recorded: Recorded<E>): readonly C[];
}

export interface SagaCommand {
  readonly type: string;
  /** Commands of one key are executed in order, those of different keys side by side. */
  readonly key: string;
}
