import { AUDIT_STREAM } from '../../kernel/streams';
import type { Position, Revision, StoredEvent } from '../../kernel/event';
import type { Finding } from '../domain/finding';
import type { AgedOutCount } from './aged-out';
import { AgedOut } from './aged-out';
import { ChainCheck, unreadable } from './chain-check';
import { CheckpointCheck } from './checkpoint-check';
import type { Item, Source } from './source';
import { Suspects } from './suspects';

/** So many findings are named; the others are counted. */
const MAX_NAMED = 1_000;
/** How often whoever waits is told how far it is. */
const TELL_EVERY_MS = 500;

export interface VerificationOptions {
  /** Where an earlier one was stopped: exclusive. Default: the beginning. */
  after?: Position;
  /** Public keys that checkpoints may be signed with: PEM, by id. */
  keys: ReadonlyMap<string, string>;
  /** What is known of the last checkpoint, apart from the log. */
  remembered?: { number: number; hash: string } | null;
  /** Breaks it off. */
  signal: AbortSignal;
  /** When it is asked: what companies wanted to be kept until then has to be there. */
  now: Date;
}

export interface VerificationProgress {
  /** A verification that begins behind it goes on with this one. */
  position: string;
  head: string;
  events: number;
  findings: number;
}

export interface VerificationResult extends VerificationProgress {
  ok: boolean;
  checkpoints: { count: number; last: { number: number; sha256: string } | null };
  /** Events behind the last checkpoint: only their chains protect them. */
  uncovered: number;
  /** What may be gone, and is: companies have not wanted it to be kept longer. */
  agedOut: AgedOutCount;
  /** The first 1,000. */
  named: Finding[];
}

export type VerificationStep =
  | { kind: 'progress'; progress: VerificationProgress }
  | { kind: 'finding'; finding: Finding }
  | { kind: 'result'; result: VerificationResult };

/**
 * Looks at every event once, in the order of the log: whether its hash is right behind the one before it, and whether
 * the ends of all streams are what the checkpoints have signed. Memory is bounded by the streams that are written to
 * between two checkpoints.
 */
export class Verification {
  private readonly found: Finding[] = [];
  private readonly named = new Map<string, Set<Revision>>();
  private readonly suspects = new Suspects();
  private readonly agedOut: AgedOut;
  private readonly chains: ChainCheck;
  private readonly checkpoints: CheckpointCheck;
  private untold: Finding[] = [];
  private events = 0;
  private sinceCheckpoint = 0;
  private count = 0;

  constructor(
    private readonly source: Source,
    private readonly options: VerificationOptions,
  ) {
    const tell = (finding: Finding) => this.note(finding);
    const isWhole = (options.after ?? 0n) === 0n;
    this.agedOut = new AgedOut(source, options.now);
    this.chains = new ChainCheck(source, this.suspects, this.agedOut, tell);
    this.checkpoints = new CheckpointCheck(
      source,
      this.agedOut,
      options.keys,
      isWhole,
      options.remembered ?? null,
      (stream, from, to) => this.isNamed(stream, from, to),
      tell,
    );
  }

  /** What is found, as it is found; how far it is; and at its end all of it. @throws the reason of the signal */
  async *run(): AsyncGenerator<VerificationStep> {
    const { after = 0n, signal } = this.options;
    const head = await this.source.head();
    let reached = after;
    let toldAtMs = Date.now();
    for await (const batch of this.source.items(after, signal)) {
      for (const item of batch.items) await this.look(item);
      reached = batch.reached;
      yield* this.news();
      if (Date.now() - toldAtMs < TELL_EVERY_MS) continue;
      toldAtMs = Date.now();
      yield { kind: 'progress', progress: this.progress(reached, head) };
    }
    signal.throwIfAborted();
    this.checkpoints.checkNewest();
    this.agedOut.settle();
    yield* this.news();
    yield { kind: 'result', result: this.result(reached > head ? reached : head) };
  }

  private async look(item: Item): Promise<void> {
    switch (item.kind) {
      case 'event':
        return this.lookAt(item.event);
      case 'checkpoint':
        await this.checkpoints.check(item.checkpoint);
        this.sinceCheckpoint = 0;
        return;
      case 'broken':
        return this.note(unreadable(item.event, item.reason));
    }
  }

  private async lookAt(event: StoredEvent): Promise<void> {
    this.events += 1;
    if (event.stream !== AUDIT_STREAM) this.sinceCheckpoint += 1;
    await this.chains.see(event);
    this.checkpoints.see(event);
  }

  private note(finding: Finding): void {
    this.count += 1;
    const revisions = this.named.get(finding.stream) ?? new Set<Revision>();
    revisions.add(finding.revision).add(finding.toRevision);
    this.named.set(finding.stream, revisions);
    if (this.found.length >= MAX_NAMED) return;
    this.found.push(finding);
    this.untold.push(finding);
  }

  private isNamed(stream: string, from: Revision, to: Revision): boolean {
    return [...(this.named.get(stream) ?? [])].some((revision) => revision >= from && revision <= to);
  }

  private *news(): Generator<VerificationStep> {
    const findings = this.untold;
    this.untold = [];
    for (const finding of findings) yield { kind: 'finding', finding };
  }

  private progress(position: Position, head: Position): VerificationProgress {
    return { position: `${position}`, head: `${head}`, events: this.events, findings: this.count };
  }

  private result(head: Position): VerificationResult {
    const named = this.suspects.explain(this.found);
    const findings = this.count - this.found.length + named.length;
    const last = this.checkpoints.lastCheckpoint;
    return {
      ok: findings === 0,
      ...this.progress(head, head),
      findings,
      checkpoints: {
        count: this.checkpoints.count,
        last: last && { number: last.number, sha256: last.hash },
      },
      uncovered: this.sinceCheckpoint,
      agedOut: this.agedOut.count,
      named,
    };
  }
}
