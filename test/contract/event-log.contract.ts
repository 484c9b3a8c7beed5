import type { EventLog } from '../../src/event-log/event-log';
import { FollowInterrupted, LogUnavailable } from '../../src/event-log/event-log';
import { NO_STREAM } from '../../src/kernel/event';
import { someEvents } from '../support/events';
import { appendContract } from './event-log.append.contract';
import { newAgentStream, newRunLogStream, readAll } from './event-log.fixture';
import { followContract } from './event-log.follow.contract';
import { readContract } from './event-log.read.contract';

export interface OpenedEventLog {
  log: EventLog;
  /** Closes the log, where it is open, and opens it again on the same data. */
  reopen?(): Promise<EventLog>;
  /** Closes the log and removes the data. */
  close(): Promise<void>;
}

/** Everything the port promises, for any backend; the log may hold the events of others. */
export function eventLogContract(name: string, open: () => Promise<OpenedEventLog>): void {
  describe(`${name} as an event log`, () => {
    let opened: OpenedEventLog;
    let log: EventLog;
    const current = () => log;
    const reopen = async () => (log = (await opened.reopen?.()) ?? log);

    beforeEach(async () => {
      opened = await open();
      log = opened.log;
    });

    afterEach(() => opened.close());

    appendContract(current, reopen);
    readContract(current);
    followContract(current);

    describe('head', () => {
      it('is the position of the last event, chunk streams included', async () => {
        const before = await log.head();
        const { position, positions } = await log.append(newAgentStream(), someEvents(3), NO_STREAM);
        expect((await positions())[0]! > before).toBe(true);
        expect((await log.head()) >= position).toBe(true);

        const chunk = await log.append(newRunLogStream(), someEvents(1), NO_STREAM);
        expect((await log.head()) >= chunk.position).toBe(true);
      });

      it('stays where it is when an append is refused', async () => {
        const stream = newAgentStream();
        await log.append(stream, someEvents(1), NO_STREAM);
        const head = await log.head();
        await expect(log.append(stream, someEvents(1), NO_STREAM)).rejects.toThrow();
        expect(await log.head()).toBe(head);
      });
    });

    describe('after it was opened again', () => {
      it('has every event with its place, and goes on behind them', async () => {
        const [agent, chunks] = [newAgentStream(), newRunLogStream()];
        await log.append(agent, someEvents(5), NO_STREAM);
        await log.append(chunks, someEvents(2, { data: Buffer.from([0, 255, 10]) }), NO_STREAM);
        const before = [await readAll(log, agent), await readAll(log, chunks)];
        const head = await log.head();

        await reopen();

        expect([await readAll(log, agent), await readAll(log, chunks)]).toEqual(before);
        const { revision, position } = await log.append(agent, someEvents(1), 4);
        expect(revision).toBe(5);
        expect(position > head).toBe(true);
      });
    });

    describe('once closed', () => {
      it('takes no appends', async () => {
        await log.close();
        await expect(log.append(newAgentStream(), someEvents(1), NO_STREAM)).rejects.toThrow(LogUnavailable);
      });

      it('interrupts its followers for good', async () => {
        const { signal } = new AbortController();
        const waiting = log
          .follow({ after: await log.head(), signal })
          [Symbol.asyncIterator]()
          .next();
        await log.close();
        const error: unknown = await waiting.catch((reason: unknown) => reason);
        expect(error).toBeInstanceOf(FollowInterrupted);
        expect(error).toMatchObject({ resumable: false });
      });

      it('can be closed again', async () => {
        await log.close();
        await expect(log.close()).resolves.toBeUndefined();
      });
    });
  });
}
