import { join } from 'node:path';
import type { AgentEvent } from '../../src/agents/domain/agent.events';
import { EmbeddedEventLog } from '../../src/event-log/embedded/embedded-event-log';
import type { EventLog } from '../../src/event-log/event-log';
import { CHAIN_START, chainHash } from '../../src/kernel/chain';
import type { StoredEvent } from '../../src/kernel/event';
import { decode } from '../../src/kernel/event';
import { categoryOf, LOG_CATEGORY } from '../../src/kernel/streams';
import { PolicyWatch } from '../e2e/decisions/policy-watch';

/** What a log in a data folder says, read while no server uses it. */
export interface LogAudit {
  /** Breaks of a stream's revisions or of its hash chain; positions that do not grow. */
  breaks: string[];
  /** The ids of the events in their order, those of the agents' output apart: it is in a file of its own. */
  events: string[];
  chunks: string[];
  /** What the agents' streams say, by rules of its own. */
  watch: PolicyWatch;
}

/** @throws where the files cannot be read */
export async function auditLog(dataDir: string): Promise<LogAudit> {
  const log = await EmbeddedEventLog.open(join(dataDir, 'stores'));
  try {
    return await audit(log);
  } finally {
    await log.close();
  }
}

/** Reads everything from the first event on. */
export async function audit(log: EventLog): Promise<LogAudit> {
  const following = new AbortController();
  const found: LogAudit = { breaks: [], events: [], chunks: [], watch: new PolicyWatch() };
  const chains = new Map<string, { revision: number; hash: string }>();
  try {
    const head = await log.head();
    let last = 0n;
    if (head === last) return found;
    for await (const { events, reached } of log.follow({ after: 0n, signal: following.signal })) {
      for (const event of events) {
        if (event.position <= last) found.breaks.push(`position ${event.position} after ${last}`);
        last = event.position;
        checkLink(event, chains, found.breaks);
        note(event, found);
      }
      if (reached >= head) break;
    }
    return found;
  } finally {
    following.abort();
  }
}

function checkLink(
  { stream, revision, position, id, type, data, metadata }: StoredEvent,
  chains: Map<string, { revision: number; hash: string }>,
  breaks: string[],
): void {
  const before = chains.get(stream) ?? { revision: -1, hash: CHAIN_START };
  const where = `${stream} at position ${position}`;
  if (revision !== before.revision + 1)
    breaks.push(`${where}: revision ${revision} after ${before.revision}`);
  if (metadata.hash !== chainHash(before.hash, { type, id, at: metadata.at, data })) {
    breaks.push(`${where}: the hash chain breaks at revision ${revision}`);
  }
  chains.set(stream, { revision, hash: metadata.hash });
}

function note(event: StoredEvent, audit: LogAudit): void {
  const category = categoryOf(event.stream);
  audit[category === LOG_CATEGORY ? 'chunks' : 'events'].push(event.id);
  if (category === 'agent') audit.watch.see(decode<AgentEvent>(event));
}
