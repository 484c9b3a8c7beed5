import { chainHash } from '../../kernel/chain';
import type { StoredEvent } from '../../kernel/event';
import type { Finding } from '../domain/finding';

/** Two of them are compared with each other: what is beyond stays `changed`. */
const MAX_SUSPECTS = 200;
const MAX_BYTES = 16 * 1024 * 1024;

interface Suspect {
  event: StoredEvent;
  /** The hash that it should be chained to. */
  base: string;
}

/**
 * Events whose hash is wrong where they stand. Among them may be some that are right where another one stands: then they
 * were swapped, and that says more than two changes do.
 */
export class Suspects {
  private readonly suspects: Suspect[] = [];
  private bytes = 0;

  add(event: StoredEvent, base: string): void {
    this.bytes += event.data.length;
    if (this.suspects.length < MAX_SUSPECTS && this.bytes <= MAX_BYTES) this.suspects.push({ event, base });
  }

  /** The findings with those that tell of one swap put together, and without those that only follow from it. */
  explain(findings: readonly Finding[]): Finding[] {
    const explained = new Set<Suspect>();
    const swaps = this.suspects.flatMap((suspect) => {
      if (explained.has(suspect)) return [];
      const other = this.suspects.find((candidate) => this.isSwap(suspect, candidate, explained));
      return other ? [swapped(suspect.event, other.event)] : [];
    });
    const places = new Set([...explained].map(({ event }) => placeOf(event)));
    const others = findings.filter((finding) => finding.kind !== 'changed' || !places.has(placeOf(finding)));
    return displaced([...others, ...swaps]);
  }

  /** Whether both are right in each other's place. @param explained gets them, and what only follows from that */
  private isSwap(suspect: Suspect, other: Suspect, explained: Set<Suspect>): boolean {
    if (other === suspect || explained.has(other)) return false;
    const hash = belongsTo(suspect, other.event);
    if (hash === null) return false;
    // Where they are neighbours, what the other place is chained to has been in the wrong place itself.
    const base = isBehind(suspect.event, other.event) ? hash : other.base;
    const otherHash = belongsTo({ ...other, base }, suspect.event);
    if (otherHash === null) return false;
    for (const [place, restored] of [
      [suspect, hash],
      [other, otherHash],
    ] as const) {
      explained.add(place);
      const next = this.suspects.find(({ event }) => isBehind(place.event, event));
      if (next && linkOf(restored, next.event) === next.event.metadata.hash) explained.add(next);
    }
    return true;
  }
}

/** The hash at the suspect's place, with the other event, or only its data, in it; null where that is wrong, too. */
function belongsTo({ event, base }: Suspect, other: StoredEvent): string | null {
  const whole = linkOf(base, other);
  if (whole === other.metadata.hash) return whole;
  const dataOnly = linkOf(base, { ...event, metadata: event.metadata, data: other.data });
  return dataOnly === event.metadata.hash ? dataOnly : null;
}

function isBehind(event: StoredEvent, other: StoredEvent): boolean {
  return event.stream === other.stream && other.revision === event.revision + 1;
}

function swapped(one: StoredEvent, other: StoredEvent): Finding {
  const placeText = ({ stream, revision, id }: StoredEvent) => `${stream}, revision ${revision}, id ${id}`;
  return {
    ...{ kind: 'swapped', stream: one.stream, revision: one.revision, toRevision: other.revision },
    ...{ eventId: one.id, position: `${one.position}`, checkpoint: null },
    ...{ expected: `what is in ${placeText(other)}`, found: `what belongs there` },
    message: `swapped: what stands in ${placeText(one)} and what stands in ${placeText(other)}`,
  };
}

function placeOf({ stream, revision }: Pick<Finding, 'stream' | 'revision'>): string {
  return `${stream} ${revision}`;
}

/** What is missed in one place and stands in another one was moved there. */
function displaced(findings: readonly Finding[]): Finding[] {
  const isAt = ({ stream, revision, toRevision }: Finding, place: Finding) =>
    stream === place.stream && revision <= place.revision && place.revision <= toRevision;
  const late = findings.filter(({ kind }) => kind === 'out_of_order');
  const moved = late.filter((one) => findings.some((other) => other.kind === 'removed' && isAt(other, one)));
  return findings.flatMap((finding) => {
    if (finding.kind === 'removed' && finding.revision === finding.toRevision)
      return moved.some((one) => isAt(finding, one)) ? [] : [finding];
    if (!moved.includes(finding)) return [finding];
    const { stream, revision } = finding;
    return [
      {
        ...finding,
        kind: 'swapped',
        message: `swapped: revision ${revision} of ${stream} stands behind a later one`,
      },
    ];
  });
}

/** The hash of an event, were it right behind one that has this hash. */
export function linkOf(base: string, { type, id, metadata, data }: StoredEvent): string {
  return chainHash(base, { type, id, at: metadata.at, data });
}
