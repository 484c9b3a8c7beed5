import { asStored } from './as-stored';
import type { DocumentStore } from '../documents/document-store';
import type { EventLog } from '../event-log/event-log';
import type { Clock } from '../kernel/clock';
import { DomainError } from '../kernel/errors';
import type { Position } from '../kernel/event';
import { CheckpointMemory } from './checkpoints/checkpoint-memory';
import type { Signed } from './checkpoints/checkpoint-recorder';
import { CheckpointRecorder } from './checkpoints/checkpoint-recorder';
import { CheckpointWriter } from './checkpoints/checkpoint-writer';
import type { PublicKey } from './checkpoints/shared-audit-state';
import { SharedAuditState } from './checkpoints/shared-audit-state';
import { SigningKey } from './checkpoints/signing-key';
import type { ExportLine } from './domain/export';
import { exportLines } from './export';
import type { Part } from './verification/log-source';
import { LogSource } from './verification/log-source';
import type { VerificationStep } from './verification/verification';
import { Verification } from './verification/verification';

/** So long a server that stops tries to cover what no checkpoint covers yet. */
const LAST_CHECKPOINT_MS = 3_000;

interface AuditDeps {
  log: EventLog;
  documents: DocumentStore;
  clock: Clock;
  nodeId: string;
  /** Holds the private key, and what is remembered. */
  dataFolder: string;
  /** A checkpoint is due after so many events, */
  everyEvents: number;
  /** and so long after the first event that none covers, in seconds. */
  everySec: number;
  onFault: (error: unknown) => void;
}

/** What proves that the log is what was written: signed checkpoints, and the verification of all of it. */
export class Audit {
  private constructor(
    private readonly log: EventLog,
    private readonly clock: Clock,
    private readonly shared: SharedAuditState,
    private readonly memory: CheckpointMemory,
    private readonly recorder: CheckpointRecorder,
    /** Of this node. */
    readonly key: SigningKey,
    private readonly givenUp: AbortController,
  ) {}

  static async open({ dataFolder, ...given }: AuditDeps): Promise<Audit> {
    const deps = { ...given, log: asStored(given.log) };
    const { log, documents, clock, nodeId } = deps;
    const key = await SigningKey.open(dataFolder);
    const shared = new SharedAuditState(documents, clock, nodeId);
    await shared.open(key);
    const memory = await CheckpointMemory.open(dataFolder);
    const givenUp = new AbortController();
    const { signal } = givenUp;
    const writer = new CheckpointWriter({ log, key, clock, nodeId, signal });
    // What it signs is what was appended, whatever has become of the files since.
    const recorder = new CheckpointRecorder({ ...given, shared, memory, writer, signal });
    return new Audit(log, clock, shared, memory, recorder, key, givenUp);
  }

  start(): void {
    this.recorder.start();
  }

  async stop(): Promise<void> {
    const limit = setTimeout(() => this.givenUp.abort(), LAST_CHECKPOINT_MS).unref();
    await this.recorder.stop();
    clearTimeout(limit);
  }

  /** Has everything covered that is on the log now. Answers the last checkpoint; null where the log is empty. */
  coverAll(): Promise<Signed | null> {
    return this.recorder.coverAll();
  }

  /** Of all nodes that there have been, the oldest first. */
  keys(): Promise<PublicKey[]> {
    return this.shared.keys();
  }

  /**
   * Whether the log is what was written.
   *
   * @param after where an earlier verification was stopped
   * @throws DomainError `position_past_head`
   */
  async verify(part: Part, after: Position, signal: AbortSignal): Promise<AsyncGenerator<VerificationStep>> {
    await this.refusePastHead(after);
    const trusted = new Map((await this.keys()).map(({ keyId, publicKey }) => [keyId, publicKey]));
    // Before the end of the log is looked for: a checkpoint that is written meanwhile is not missed then.
    const remembered = this.memory.last;
    const source = new LogSource(this.log, part);
    return new Verification(source, {
      after,
      keys: trusted,
      remembered,
      signal,
      now: this.clock.now(),
    }).run();
  }

  /**
   * Everything that the log holds of a company.
   *
   * @param after where an earlier export was broken off
   * @throws DomainError `position_past_head`
   */
  async export(companyId: string, after: Position, signal: AbortSignal): Promise<AsyncGenerator<ExportLine>> {
    await this.refusePastHead(after);
    return exportLines(this.log, { companyId, after, keys: await this.keys(), clock: this.clock, signal });
  }

  /** @throws DomainError `position_past_head` */
  async refusePastHead(after: Position): Promise<void> {
    const head = await this.log.head();
    if (after <= head) return;
    throw new DomainError('position_past_head', undefined, { after: `${after}`, head: `${head}` });
  }
}
