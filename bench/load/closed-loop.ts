import { performance } from 'node:perf_hooks';
import type { Reply } from './http-connection';
import { HttpConnection } from './http-connection';

export interface LoadResult {
  /** Of each request, in milliseconds. */
  latenciesMs: Float64Array;
  elapsedMs: number;
  perSecond: number;
}

/**
 * So many clients, each of which sends its next request when it has the answer to the one before.
 *
 * @param send  sends request number `index`
 * @param check sees each answer, in the order in which they come; throws where it is wrong
 */
export async function closedLoop(
  server: { url: string; token: string },
  { clients, requests }: { clients: number; requests: number },
  send: (connection: HttpConnection, index: number) => Promise<Reply>,
  check: (reply: Reply, index: number) => void,
): Promise<LoadResult> {
  const connections = await Promise.all(
    Array.from({ length: clients }, () => HttpConnection.open(server.url, server.token)),
  );
  const latenciesMs = new Float64Array(requests);
  let next = 0;
  const client = async (connection: HttpConnection) => {
    while (next < requests) {
      const index = next++;
      const before = performance.now();
      const reply = await send(connection, index);
      latenciesMs[index] = performance.now() - before;
      check(reply, index);
    }
  };
  const startedAt = performance.now();
  await Promise.all(connections.map(client));
  const elapsedMs = performance.now() - startedAt;
  for (const connection of connections) connection.close();
  return { latenciesMs, elapsedMs, perSecond: (requests / elapsedMs) * 1000 };
}
