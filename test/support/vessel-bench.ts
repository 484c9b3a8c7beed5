import type { CommandContext } from '../../src/event-log/aggregate-store';
import { AggregateStore } from '../../src/event-log/aggregate-store';
import { EmbeddedEventLog } from '../../src/event-log/embedded/embedded-event-log';
import type { Decider } from '../../src/kernel/decider';
import { DomainError } from '../../src/kernel/errors';
import type { DomainEvent, StoredEvent } from '../../src/kernel/event';
import { uuidv7 } from '../../src/kernel/ids';
import { Gate } from './gate';
import { ObservedLog } from './observed-log';
import { temporaryFolder } from './temporary-folder';

type Added = DomainEvent<'Added', { amount: number; text: string }>;
type Emptied = DomainEvent<'Emptied', { total: number }>;
type Untimed =
  { type: 'Add'; amount: number; times?: number; text?: string } | { type: 'Empty' } | { type: 'Break' };
type Command = Untimed & { at: string };
type State = { revision: number; total: number };

export const LIMIT = 100;
export const at = '2025-11-23T10:00:00.000Z';

/** A vessel that refuses what doesn't fit, and that is emptied with nothing new where it is empty. */
const vessel: Decider<State, Command, Added | Emptied> = {
  initial: () => ({ revision: -1, total: 0 }),
  decide(command, { total }) {
    switch (command.type) {
      case 'Add': {
        const { amount, times = 1, text = '' } = command;
        if (total + amount * times > LIMIT) throw new DomainError('agent_busy', 'too much', { total });
        return Array.from({ length: times }, () => ({ type: 'Added', data: { amount, text } }));
      }
      case 'Empty':
        return total === 0 ? [] : [{ type: 'Emptied', data: { total } }];
      case 'Break':
        throw new TypeError('a bug');
    }
  },
  evolve(state, event) {
    state.revision += 1;
    state.total = event.type === 'Added' ? state.total + event.data.amount : 0;
    return state;
  },
};

const stream = 'agent-c.1';

/** Not the first ones, so that a test sees which is written. */
const shapes = { Added: { version: 3 }, Emptied: { version: 3 } };

/** A vessel's stream on a real log that is watched, and stores of several nodes over it. */
export class VesselBench {
  readonly log: ObservedLog;

  private constructor(private readonly embedded: EmbeddedEventLog) {
    this.log = new ObservedLog(embedded);
  }

  static async open(): Promise<VesselBench> {
    return new VesselBench(await EmbeddedEventLog.open(temporaryFolder()));
  }

  newStore(nodeId = 'node-1') {
    const store = new AggregateStore(this.log, vessel, { shapes, nodeId });
    const execute = (
      command: Untimed & { at?: string },
      context: Partial<CommandContext> = {},
      to = stream,
    ) => {
      const origin = { commandId: uuidv7(), companyId: 'c', actor: { type: 'user', id: 'u' } as const };
      return store.execute(to, { at, ...command }, { ...origin, ...context }, ({ total }) => total);
    };
    const tell = async (command: Untimed, to = stream) => {
      const { events, position, answer } = await execute(command, {}, to);
      return { count: events.length, position, total: answer };
    };
    const add = (amount: number, more: { times?: number; text?: string } = {}, to = stream) =>
      tell({ type: 'Add', amount, ...more }, to);
    return { execute, tell, add, total: (of = stream) => store.inspect(of, ({ total }) => total) };
  }

  async onLog(): Promise<StoredEvent[]> {
    const events: StoredEvent[] = [];
    for await (const event of this.embedded.read(stream)) events.push(event);
    return events;
  }

  async amountsOnLog(): Promise<number[]> {
    return (await this.onLog()).map(({ data }) => (JSON.parse(data as string) as Added['data']).amount);
  }

  /** Lets the next append wait, so that what comes meanwhile waits together. */
  holdNextAppend(): Gate {
    const gate = new Gate();
    this.log.onAppend = async (append) => {
      this.log.onAppend = (next) => next();
      await gate.pass();
      return append();
    };
    return gate;
  }

  close(): Promise<void> {
    return this.embedded.close();
  }
}
