import type { Decider } from '../../src/kernel/decider';
import type { ErrorCode } from '../../src/kernel/errors';
import { DomainError } from '../../src/kernel/errors';
import type { DomainEvent } from '../../src/kernel/event';
import { asText } from './as-text';

/** Events, and histories of several, in the order in which they came. */
export type History<Event> = readonly (Event | readonly Event[])[];

/**
 * Lets the tests of a decider read `given(…events).when(command).then(…events)`. Whatever is expected, deciding must
 * leave the state alone, and the events must survive the log and be known to `evolve`.
 */
export function givenFor<State, Command, Event extends DomainEvent>(decider: Decider<State, Command, Event>) {
  return (...history: History<Event>) => ({
    state: () => folded(decider, history),
    when: (command: Command) => ({
      then: (...expected: History<Event>) => {
        const events = decideCarefully(decider, command, folded(decider, history));
        expect(events).toStrictEqual(expected.flat());
        expect(JSON.parse(JSON.stringify(events))).toEqual(events);
        folded(decider, [...history, ...events]);
      },
      thenNothing: () => {
        expect(decideCarefully(decider, command, folded(decider, history))).toEqual([]);
      },
      thenRefused: (code: ErrorCode, details: Readonly<Record<string, unknown>> = {}) => {
        const state = folded(decider, history);
        const refusal = thrownBy(() => decideCarefully(decider, command, state));
        expect(refusal).toBeInstanceOf(DomainError);
        const { code: actualCode, details: actualDetails } = refusal as DomainError;
        expect({ code: actualCode, details: actualDetails }).toStrictEqual({ code, details });
      },
    }),
  });
}

export function folded<State, Command, Event extends DomainEvent>(
  { initial, evolve }: Decider<State, Command, Event>,
  history: History<Event>,
): State {
  return (history.flat() as Event[]).reduce((state, event) => evolve(state, event), initial());
}

/** Decides, and fails where the state is not left exactly as it was, whether the command is taken or refused. */
export function decideCarefully<State, Command, Event extends DomainEvent>(
  decider: Decider<State, Command, Event>,
  command: Command,
  state: State,
): readonly Event[] {
  const before = asText(state);
  const assertUntouched = () => {
    if (asText(state) !== before) throw new Error(`deciding has changed the state: ${asText(command)}`);
  };
  try {
    const events = decider.decide(command, state);
    assertUntouched();
    return events;
  } catch (refusal) {
    assertUntouched();
    throw refusal;
  }
}

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('the command was not refused');
}
