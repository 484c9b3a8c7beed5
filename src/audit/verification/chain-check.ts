import { CHAIN_START } from '../../kernel/chain';
import type { Revision, StoredEvent } from '../../kernel/event';
import type { Finding } from '../domain/finding';
import type { AgedOut } from './aged-out';
import { previousHashOf } from './aged-out';
import type { Source } from './source';
import type { Suspects } from './suspects';
import { linkOf } from './suspects';

/** So many streams' ends are in memory; the others are read again where they go on. */
const MAX_HEADS = 200_000;

interface Head {
  revision: Revision;
  /**
   * Of the last event, as its metadata has it, and as it is computed: they differ where the event was changed. null: its
   * metadata cannot be read.
   */
  hashes: { recorded: string; computed: string } | null;
}

/** Follows the chains of all streams at once, and names the events that do not belong where they are. */
export class ChainCheck {
  private readonly heads = new Map<string, Head>();

  constructor(
    private readonly source: Source,
    private readonly suspects: Suspects,
    private readonly agedOut: AgedOut,
    private readonly tell: (finding: Finding) => void,
  ) {}

  async see(event: StoredEvent): Promise<void> {
    const { stream, revision } = event;
    const illness = illnessOf(event);
    if (illness !== null) {
      this.tell(unreadable(event, illness));
      return this.remember(stream, { revision, hashes: null });
    }
    const before = this.heads.get(stream) ?? (await this.endBefore(event));
    const expected = (before?.revision ?? -1) + 1;
    if (revision < expected) return this.tell(outOfOrder(event, expected));
    if (revision > expected) return this.remember(stream, await this.checkedBehindGap(event, expected));
    this.remember(stream, this.checked(event, before?.hashes));
  }

  /** @param expected the first of the revisions that are gone */
  private async checkedBehindGap(event: StoredEvent, expected: Revision): Promise<Head> {
    if (!(await this.agedOut.mayMiss(event.stream))) {
      this.tell(removed(event, expected));
      return this.checked(event, null);
    }
    this.agedOut.countBefore(event, expected);
    const previous = previousHashOf(event);
    return this.checked(event, previous === null ? null : { recorded: previous, computed: previous });
  }

  /** @param before hashes of the event before; null: there is nothing to check the link with */
  private checked(event: StoredEvent, before: Head['hashes'] | undefined): Head {
    const { revision } = event;
    const recorded = event.metadata.hash;
    const bases = revision === 0 ? { recorded: CHAIN_START, computed: CHAIN_START } : before;
    if (!bases) return { revision, hashes: { recorded, computed: recorded } };
    const computed = linkOf(bases.recorded, event);
    if (recorded !== computed && recorded !== linkOf(bases.computed, event)) {
      this.suspects.add(event, bases.recorded);
      this.tell(changed(event, computed));
    } else if (event.misfiled !== undefined) this.tell(filedElsewhere(event, event.misfiled));
    return { revision, hashes: { recorded, computed } };
  }

  /** Of a stream that is not in memory: nothing was seen of it, or that was long ago. */
  private async endBefore({ stream, revision }: StoredEvent): Promise<Head | undefined> {
    if (revision === 0) return undefined;
    const backwards = { from: revision - 1, direction: 'backwards', limit: 1 } as const;
    for await (const last of this.source.read(stream, backwards)) {
      if (illnessOf(last) !== null) return { revision: last.revision, hashes: null };
      const { hash } = last.metadata;
      return { revision: last.revision, hashes: { recorded: hash, computed: hash } };
    }
    return undefined;
  }

  private remember(stream: string, head: Head): void {
    this.heads.delete(stream);
    this.heads.set(stream, head);
    if (this.heads.size > MAX_HEADS) this.heads.delete(this.heads.keys().next().value!);
  }
}

/** Why an event's metadata cannot be read; null where they can. */
export function illnessOf(event: StoredEvent): string | null {
  try {
    return typeof event.metadata.hash === 'string' ? null : 'its metadata have no hash';
  } catch (error) {
    return `its metadata are no JSON: ${(error as Error).message}`;
  }
}

export function unreadable(event: StoredEvent, reason: string): Finding {
  const { stream, revision, id, type, position } = event;
  return {
    ...{ kind: 'changed', stream, revision, toRevision: revision, eventId: id, position: `${position}` },
    ...{ checkpoint: null, expected: 'what was written', found: reason },
    message: `${type} (${stream}, revision ${revision}, id ${id}) cannot be read: ${reason}`,
  };
}

/** The event is what was written, and readers that look for its kind or its age pass it over. */
function filedElsewhere(event: StoredEvent, misfiled: string): Finding {
  const { stream, revision, id, type, position } = event;
  return {
    ...{ kind: 'changed', stream, revision, toRevision: revision, eventId: id, position: `${position}` },
    ...{ checkpoint: null, expected: 'the category and the time that it has', found: misfiled },
    message: `${type} (${stream}, revision ${revision}, id ${id}) is not where it was filed: ${misfiled}`,
  };
}

function changed(event: StoredEvent, computed: string): Finding {
  const { stream, revision, id, type, position, metadata } = event;
  return {
    ...{ kind: 'changed', stream, revision, toRevision: revision, eventId: id, position: `${position}` },
    ...{ checkpoint: null, expected: metadata.hash, found: computed },
    message:
      `${type} (${stream}, revision ${revision}, id ${id}) is not what was written: its hash is recorded as ` +
      `${metadata.hash}, and its bytes behind the event before it give ${computed}`,
  };
}

function removed(event: StoredEvent, expected: Revision): Finding {
  const { stream, revision } = event;
  const last = revision - 1;
  return {
    ...{ kind: 'removed', stream, revision: expected, toRevision: last, eventId: null, position: null },
    ...{ checkpoint: null, expected: `revision ${expected}`, found: `revision ${revision}` },
    message: `${stream}: ${revisionsText(expected, last)} gone: revision ${revision} is what follows`,
  };
}

function outOfOrder(event: StoredEvent, expected: Revision): Finding {
  const { stream, revision, id, type, position } = event;
  return {
    ...{ kind: 'out_of_order', stream, revision, toRevision: revision, eventId: id, position: `${position}` },
    ...{ checkpoint: null, expected: `revision ${expected}`, found: `revision ${revision}` },
    message: `${type} (${stream}, revision ${revision}, id ${id}) stands where revision ${expected} should`,
  };
}

/** `revision 4 is`, `revisions 4 to 6 are`. */
export function revisionsText(from: Revision, to: Revision): string {
  return from === to ? `revision ${from} is` : `revisions ${from} to ${to} are`;
}
