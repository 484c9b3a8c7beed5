import type { Revision, StoredEvent } from '../../kernel/event';
import { AUDIT_STREAM } from '../../kernel/streams';
import { sha256Hex } from '../../kernel/canonical-json';
import type { Finding, FindingKind } from '../domain/finding';
import type { HeadEntry, Segment } from '../domain/interval';
import { extended, groupsOf, rootOf } from '../domain/interval';
import type { Checkpoint } from '../domain/statement';
import { FIRST_PREVIOUS, statementHash } from '../domain/statement';
import { illnessOf, revisionsText } from './chain-check';
import type { AgedOut } from './aged-out';
import { isSignedBy } from './signature';
import type { Source } from './source';

/** So many streams that have grown since their last checkpoint are in memory; what of the others is read again. */
const MAX_SEGMENTS = 200_000;

interface Known {
  number: number;
  hash: string;
}

/** Holds what is on the log against what was signed. */
export class CheckpointCheck {
  private readonly segments = new Map<string, Segment>();
  private last: Known | null = null;
  /** Each is named once, by the first checkpoint that misses something of it. */
  private readonly cutOff = new Set<string>();
  count = 0;

  /**
   * @param keys PEM, by id
   * @param isWhole from the first checkpoint on; otherwise nothing is known of the one before the first that is seen
   * @param remembered the last checkpoint, as it is known apart from the log
   * @param isNamed whether something is known to be wrong with any of the revisions
   */
  constructor(
    private readonly source: Source,
    private readonly agedOut: AgedOut,
    private readonly keys: ReadonlyMap<string, string>,
    private readonly isWhole: boolean,
    private readonly remembered: Known | null,
    private readonly isNamed: (stream: string, from: Revision, to: Revision) => boolean,
    private readonly tell: (finding: Finding) => void,
  ) {}

  get lastCheckpoint(): Known | null {
    return this.last;
  }

  see(event: StoredEvent): void {
    if (event.stream === AUDIT_STREAM || illnessOf(event) !== null) return;
    const segment = extended(this.segments.get(event.stream), event);
    this.segments.delete(event.stream);
    this.segments.set(event.stream, segment);
    if (this.segments.size > MAX_SEGMENTS) this.segments.delete(this.segments.keys().next().value!);
  }

  async check(checkpoint: Checkpoint): Promise<void> {
    const { statement, heads } = checkpoint;
    this.checkStatement(checkpoint);
    for (const head of heads) await this.checkHead(head, statement.number);
    this.last = { number: statement.number, hash: statementHash(checkpoint.text) };
    this.count += 1;
  }

  /** At the end: the log may have lost checkpoints that somebody remembers. */
  checkNewest(): void {
    const { remembered } = this;
    if (!remembered || remembered.number <= (this.last?.number ?? 0)) return;
    const found = this.last?.number ?? 0;
    const missing = { statement: { number: found + 1 }, revision: null, position: null };
    const message =
      `checkpoint ${found + 1} is gone: this server remembers checkpoint ${remembered.number}, ` +
      `and the last one on the log is ${found}`;
    this.tell(wrongCheckpoint(missing, `checkpoint ${remembered.number}`, `checkpoint ${found}`, message));
  }

  private checkStatement(checkpoint: Checkpoint): void {
    const { text, statement, signature, groups, heads, owner } = checkpoint;
    const { number, previous, root, keyId } = statement;
    const problem = (expected: string, found: string, message: string) =>
      this.tell(wrongCheckpoint(checkpoint, expected, found, `checkpoint ${number}: ${message}`));
    const key = this.keys.get(keyId);
    if (!key) problem('a known key', keyId, `it is signed with a key that is not known here (${keyId})`);
    else if (!isSignedBy(key, text, signature)) problem('its signature', 'another', 'its signature is wrong');
    const before = this.last ?? (this.isWhole ? { number: 0, hash: FIRST_PREVIOUS } : null);
    if (before && number !== before.number + 1) {
      problem(`checkpoint ${before.number + 1}`, `checkpoint ${number}`, 'what stood before it is gone');
    } else if (before && previous !== before.hash) {
      problem(previous, before.hash, 'the checkpoint before it is another one');
    }
    const { remembered } = this;
    const hash = statementHash(text);
    if (remembered?.number === number && remembered.hash !== hash) {
      problem(
        remembered.hash,
        hash,
        'it was signed in the place of another one, which this server remembers',
      );
    }
    if (rootOf(groups) !== root) problem(root, rootOf(groups), 'its heads are not those that were signed');
    if (owner === null) return;
    const own = groups.filter(([tag]) => tag === sha256Hex(owner));
    if (JSON.stringify(own) !== JSON.stringify(groupsOf(heads)))
      problem(root, rootOf(groups), `the heads of ${owner} are not those that were signed`);
  }

  private async checkHead(head: HeadEntry, number: number): Promise<void> {
    const [stream, from, revision] = head;
    const segment = this.segments.get(stream);
    if (segment?.from === from && segment.revision === revision) {
      this.segments.delete(stream);
      return this.compare(head, segment, number);
    }
    if ((!segment || segment.from > from) && (await this.agedOut.mayMiss(stream)))
      return this.checkRest(head, segment, number);
    // It has gone on since, or it was not read from its beginning, or something is gone.
    const reread = await this.reread(head);
    if (reread.behind) this.segments.set(stream, reread.behind);
    else this.segments.delete(stream);
    if (reread.last === null && (await this.agedOut.mayMiss(stream))) return;
    if ((reread.last ?? -1) < revision) this.missing(head, number, reread.last);
    else if (reread.covered?.revision === revision) this.compare(head, reread.covered, number);
  }

  /** Of a log that may have aged out: its end stays longest, and its hash with it. */
  private checkRest(head: HeadEntry, rest: Segment | undefined, number: number): void {
    const [stream, , revision, hash] = head;
    if (!rest) {
      if (this.isWhole) this.agedOut.countUnseen(stream, revision + 1);
      return;
    }
    if (rest.revision > revision) return;
    this.segments.delete(stream);
    if (rest.revision < revision) return this.missing(head, number, rest.revision);
    if (rest.hash === hash || this.isNamed(stream, rest.from, revision)) return;
    const range = { stream, revision: rest.from, toRevision: revision, number };
    const what = `${stream}: ${revisionsText(rest.from, revision)} not what checkpoint ${number} has signed`;
    this.tellOfStream('rewritten', range, hash, rest.hash, what);
  }

  private compare([stream, from, revision, hash, metadata]: HeadEntry, found: Segment, number: number): void {
    // What is gone from within, or was changed alone, was told by the chain.
    const isWhole = found.from === from && found.events === revision - from + 1;
    if (!isWhole || this.isNamed(stream, from, revision)) return;
    const range = { stream, revision: from, toRevision: revision, number };
    if (found.hash !== hash) {
      const what = `${stream}: ${revisionsText(from, revision)} not what checkpoint ${number} has signed`;
      this.tellOfStream('rewritten', range, hash, found.hash, `${what}, though the hashes agree`);
    } else if (found.metadata !== metadata) {
      const what = `${stream}: who, when or why of ${revisionsText(from, revision)} not`;
      const message = `${what} what checkpoint ${number} has signed`;
      this.tellOfStream('metadata_changed', range, metadata, found.metadata, message);
    }
  }

  private missing([stream, , revision, hash]: HeadEntry, number: number, last: Revision | null): void {
    if (this.cutOff.has(stream)) return;
    this.cutOff.add(stream);
    const range = { stream, revision: (last ?? -1) + 1, toRevision: revision, number };
    const signed = `checkpoint ${number} has signed revision ${revision} (${hash})`;
    if (last === null) {
      const message = `${stream}: the whole stream is gone; ${signed}`;
      return this.tellOfStream('stream_removed', range, hash, null, message);
    }
    const message = `${stream}: ${revisionsText(last + 1, revision)} cut off; ${signed}`;
    this.tellOfStream('cut_off', range, hash, `revision ${last}`, message);
  }

  /** The covered segment, what stands behind it, and the last revision that is there at all. */
  private async reread([stream, from, revision]: HeadEntry) {
    let covered: Segment | undefined;
    let behind: Segment | undefined;
    let last: Revision | null = null;
    const seen = this.segments.get(stream)?.revision ?? revision;
    for await (const event of this.source.read(stream, { from })) {
      if (event.revision > Math.max(seen, revision)) break;
      last = event.revision;
      if (illnessOf(event) !== null) continue;
      if (event.revision <= revision) covered = extended(covered, event);
      else behind = extended(behind, event);
    }
    if (last === null && from > 0) last = await this.lastBefore(stream, from);
    return { covered, behind, last };
  }

  private async lastBefore(stream: string, from: Revision): Promise<Revision | null> {
    for await (const event of this.source.read(stream, { from, direction: 'backwards', limit: 1 })) {
      return event.revision;
    }
    return null;
  }

  private tellOfStream(
    kind: FindingKind,
    {
      stream,
      revision,
      toRevision,
      number,
    }: Pick<Finding, 'stream' | 'revision' | 'toRevision'> & { number: number },
    expected: string,
    found: string | null,
    message: string,
  ): void {
    const place = { stream, revision, toRevision, eventId: null, position: null };
    this.tell({ kind, ...place, checkpoint: number, expected, found, message });
  }
}

function wrongCheckpoint(
  {
    statement,
    revision,
    position,
  }: { statement: { number: number } } & (
    Pick<Checkpoint, 'revision' | 'position'> | { revision: null; position: null }
  ),
  expected: string,
  found: string,
  message: string,
): Finding {
  const place = { revision: revision ?? 0, toRevision: revision ?? 0, eventId: null, position };
  const { number: checkpoint } = statement;
  return { kind: 'checkpoint', stream: AUDIT_STREAM, ...place, checkpoint, expected, found, message };
}
