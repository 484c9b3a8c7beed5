import type { DomainEvent } from './event';

/**
 * The pure heart of an aggregate.
 *
 * `decide` answers a command with the events that it causes, with nothing where the state already shows the effect,
 * or throws a `DomainError` where the command is refused. `evolve` must not fail on an event it knows, throws on one
 * it doesn't, and owns the state it is given: it may change it in place, so whoever folds never looks at an older
 * reference again (an agent's state holds up to 10,000 keys; copying them for every event would cost more than all
 * the rest of an append).
 */
export interface Decider<State, Command, Event extends DomainEvent> {
  initial(): State;
  decide(command: Command, state: State): readonly Event[];
  evolve(state: State, event: Event): State;
}

/** Proves at compile time that a union is exhausted, and is loud at run time where data disagrees with the types. */
export function assertNever(value: never, what: string): never {
  throw new Error(`unknown ${what}: ${JSON.stringify(value)}`);
}
