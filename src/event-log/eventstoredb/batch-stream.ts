import type { Duplex } from 'node:stream';
import type { EventStoreDBClient } from '@eventstore/db-client';

type OpenStream = (client: unknown) => Promise<Duplex>;
/** The one door through which the client opens its streams; not public, and its version is pinned for that. */
interface Door {
  GRPCStreamCreator: (
    service: unknown,
    name: string,
    open: OpenStream,
    cache?: WeakMap<object, Promise<Duplex>>,
  ) => () => Promise<Duplex>;
  supports: () => Promise<boolean>;
}

/**
 * Keeps three faults of the client 6.2.1 from ending the process, or all appends for good. Appends of a connection go over
 * one long-lived stream:
 *
 * - Where that is full, the client queues what is to be written, and rejects it, when the stream breaks, as promises
 *   that nobody holds: an unhandled rejection for each.
 * - An answer for an append that it has already given up, because of the error of another stream, is a TypeError that
 *   nobody can catch.
 * - Before the first append the server is asked whether it has such a stream, and the answer is kept for the connection,
 *   a failure included: where a node that was just stopping has failed it, every append fails from then on.
 *
 * So the stream never says that it is full (whoever appends waits for the answer anyway, and so bounds what is held),
 * and an answer that nobody waits for is dropped; the append itself fails at its deadline, or with the stream. And the
 * server is not asked: each one from 21.10 on has the stream.
 */
export function guardBatchStream(client: EventStoreDBClient): void {
  const door = client as unknown as Door;
  const create = door.GRPCStreamCreator;
  door.GRPCStreamCreator = (service, name, open, cache) =>
    create(
      service,
      name,
      name === 'appendToStream' ? async (stub) => guarded(await open(stub)) : open,
      cache,
    );
  door.supports = () => Promise.resolve(true);
}

function guarded(stream: Duplex): Duplex {
  const write = stream.write.bind(stream) as (chunk: unknown) => boolean;
  stream.write = (chunk: unknown) => {
    write(chunk);
    return true;
  };
  for (const listener of stream.listeners('data') as ((answer: unknown) => void)[]) {
    stream.off('data', listener);
    stream.on('data', (answer: unknown) => {
      try {
        listener(answer);
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
      }
    });
  }
  return stream;
}
