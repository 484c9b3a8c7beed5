import { canonicalJson, sha256Hex } from '../../kernel/canonical-json';
import type { EventMetadata, Revision, StoredEvent } from '../../kernel/event';
import { AUDIT_STREAM, ownerOf } from '../../kernel/streams';

/**
 * What a checkpoint says of one stream: its name, the first and the last revision that are covered, the chain hash of
 * the last one, and a digest of their metadata (which the chain does not cover, but for the time).
 */
export type HeadEntry = [stream: string, from: Revision, revision: Revision, hash: string, metadata: string];

/** What was added to a stream since the last checkpoint. */
export interface Segment {
  from: Revision;
  revision: Revision;
  /** The last event's, as its metadata has it. */
  hash: string;
  metadata: string;
  /** How many events were seen of it: fewer than there are revisions where some are gone. */
  events: number;
}

/** A digest over the heads of one company, by which an outsider can check those of his own without seeing others'. */
export type Group = [owner: string, digest: string];

/** Goes on with a digest of metadata. The one before a stream's first event in an interval is the empty text. */
export function metadataDigest(before: string, metadata: EventMetadata): string {
  const { hash: _hash, ...covered } = metadata;
  return sha256Hex(`${before}\n${canonicalJson(covered)}`);
}

/** Goes on with a segment, or begins one. */
export function extended(segment: Segment | undefined, { revision, metadata }: StoredEvent): Segment {
  return {
    from: segment?.from ?? revision,
    revision,
    hash: metadata.hash,
    metadata: metadataDigest(segment?.metadata ?? '', metadata),
    events: (segment?.events ?? 0) + 1,
  };
}

/** What a checkpoint is made of: all that came after the one before it. */
export class Interval {
  private readonly segments = new Map<string, Segment>();
  /** How many events are in it. */
  events = 0;
  last: Pick<StoredEvent, 'stream' | 'revision' | 'position'> | null = null;

  /** The checkpoints themselves are chained and signed: no checkpoint covers them. */
  add(event: StoredEvent): void {
    const { stream, revision, position } = event;
    if (stream === AUDIT_STREAM) return;
    this.segments.set(stream, extended(this.segments.get(stream), event));
    this.events += 1;
    this.last = { stream, revision, position };
  }

  /** By company, then by stream. */
  heads(): HeadEntry[] {
    const heads = [...this.segments].map(([stream, { from, revision, hash, metadata }]): HeadEntry => [
      stream,
      from,
      revision,
      hash,
      metadata,
    ]);
    const place = ([stream]: HeadEntry) => `${ownerOf(stream)} ${stream}`;
    return heads.sort((a, b) => (place(a) < place(b) ? -1 : 1));
  }
}

/** The same for whoever made the heads and for whoever checks them: sorted, and companies by the hash of their id. */
export function groupsOf(heads: readonly HeadEntry[]): Group[] {
  const byOwner = new Map<string, string[]>();
  for (const head of heads) {
    const owner = ownerOf(head[0]);
    const lines = byOwner.get(owner) ?? [];
    lines.push(JSON.stringify(head));
    byOwner.set(owner, lines);
  }
  return [...byOwner]
    .map(([owner, lines]): Group => [sha256Hex(owner), groupDigest(lines)])
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

export function rootOf(groups: readonly Group[]): string {
  return sha256Hex(groups.map((group) => group.join(' ')).join('\n'));
}

function groupDigest(lines: readonly string[]): string {
  return sha256Hex([...lines].sort().join('\n'));
}
