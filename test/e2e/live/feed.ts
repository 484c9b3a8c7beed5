import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { EmbeddedEventLog } from '../../../src/event-log/embedded/embedded-event-log';
import type { LiveMessage } from '../../../src/live/live-message';
import type { SentMessage } from '../../support/live-client';
import type { TestServer } from '../../support/server';
import { get } from '../http/client';

type Output = Extract<LiveMessage['event'], { type: 'heartbeat.run.log' | 'log.gap' }>['payload'];

export interface FeedPage {
  items: SentMessage[];
  nextCursor: string | null;
  position: string;
}

/** Everything that was ever told of a company, page by page. */
export async function readFeed(server: TestServer, companyId: string): Promise<SentMessage[]> {
  const messages: SentMessage[] = [];
  for (let after: string | null = '0'; after !== null;) {
    const path = `/v1/companies/${companyId}/events?logs=true&limit=500&after=${after}`;
    const page: FeedPage = await get(server, path);
    messages.push(...page.items);
    after = page.nextCursor;
  }
  return messages;
}

/**
 * The SHA-256 of what an agent wrote, put together from what a follower was told, and from what it fetches where that
 * is not all.
 */
export async function hashOfOutput(
  server: TestServer,
  messages: readonly SentMessage[],
  runId: string,
  stream: string,
): Promise<string> {
  const hash = createHash('sha256');
  let reached = 0;
  let fetched: Buffer | undefined;
  for (const { type, payload } of messages) {
    if (type !== 'heartbeat.run.log' && type !== 'log.gap') continue;
    const output = payload as Output;
    if (output.runId !== runId || output.stream !== stream) continue;
    expect(output.from).toBe(reached);
    reached = output.to;
    if ('chunk' in output && !output.truncated) {
      hash.update(output.chunk);
      continue;
    }
    fetched ??= await fetchLog(server, runId, stream);
    hash.update(fetched.subarray(output.from, output.to));
  }
  return hash.digest('hex');
}

async function fetchLog(server: TestServer, runId: string, stream: string): Promise<Buffer> {
  const path = `/v1/runs/${runId}/log?stream=${stream}`;
  return (await server.api('GET', path, undefined, { accept: 'text/plain' })).bytes;
}

/** Where a company's events stand on the log: read with no server between. */
export async function positionsOnLog(dataDir: string, companyId: string): Promise<string[]> {
  const log = await EmbeddedEventLog.open(join(dataDir, 'stores'));
  const until = await log.head();
  const positions: string[] = [];
  const following = new AbortController();
  for await (const { events, reached } of log.follow({ after: 0n, signal: following.signal })) {
    const own = events.filter(({ metadata }) => metadata.companyId === companyId);
    positions.push(...own.map(({ position }) => `${position}`));
    if (reached >= until) break;
  }
  await log.close();
  return positions;
}
