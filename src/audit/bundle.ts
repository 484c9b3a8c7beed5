import { isUtf8 } from 'node:buffer';
import type { AgentAddress } from '../agents/agents.store';
import type { LedgerEntry, LedgerEvent } from '../costs/domain/ledger';
import { entryOf } from '../costs/domain/ledger';
import type { EventLog } from '../event-log/event-log';
import type { Clock } from '../kernel/clock';
import type { StoredEvent } from '../kernel/event';
import { decode } from '../kernel/event';
import { agentStream, runLogStream, runStream } from '../kernel/streams';
import type { ReadModels } from '../processing/read-models';
import { decodeLogChunk } from '../runs/domain/run-log.events';
import { RunAnswers } from '../runs/run.queries';
import type { RunView } from '../runs/run.view';
import { wakeupsProjection } from '../wakeups/projections/wakeups.projection';
import type { WakeupView } from '../wakeups/wakeup.view';
import { wakeupView } from '../wakeups/wakeup.view';
import type { Audit } from './audit';
import type { ExportedEvent } from './domain/export';
import { exportedEvent } from './export';
import { masked } from './mask-configuration';
import type { VerificationResult } from './verification/verification';
import type { Why, WhyStep } from './why';

interface RunAddress extends AgentAddress {
  runId: string;
}

/** What a bundle is made of: one of these a line. */
export type BundleLine =
  | ({ kind: 'bundle'; format: 1; madeAt: string; upTo: string } & RunAddress)
  | { kind: 'run'; run: RunView }
  | { kind: 'wakeup'; wakeup: WakeupView }
  | ({ kind: 'why' } & WhyStep)
  | ({ kind: 'usage'; eventId: string; at: string } & LedgerEntry)
  /** `masked`: values were replaced, so its bytes are not those of the hash. */
  | (ExportedEvent & { masked: boolean })
  | Output
  | { kind: 'chain'; stream: string; revision: number; hash: string }
  | { kind: 'verification'; stream: string; result: VerificationResult }
  | { kind: 'end'; lines: number };

/** What the agent wrote, as it was recorded. */
interface Output {
  kind: 'output';
  stream: 'stdout' | 'stderr';
  offset: number;
  eventId: string;
  revision: number;
  at: string;
  hash: string;
  text?: string;
  base64?: string;
}

const LEDGER_TYPES = ['UsageBooked', 'RunFinished'];

/** All about one run, for whoever has to find out months later what happened. */
export class RunBundle {
  constructor(
    private readonly log: EventLog,
    private readonly readModels: ReadModels,
    private readonly audit: Audit,
    private readonly why: Why,
    private readonly clock: Clock,
  ) {}

  async *lines(address: RunAddress, signal: AbortSignal): AsyncGenerator<BundleLine> {
    let lines = 0;
    for await (const line of this.content(address, signal)) {
      lines += 1;
      yield line;
    }
    yield { kind: 'end', lines: lines + 1 };
  }

  private async *content(address: RunAddress, signal: AbortSignal): AsyncGenerator<BundleLine> {
    const { companyId, agentId, runId } = address;
    const streams = [
      agentStream(companyId, agentId),
      runStream(companyId, runId),
      runLogStream(companyId, runId),
    ];
    const madeAt = this.clock.now().toISOString();
    yield { kind: 'bundle', format: 1, madeAt, upTo: `${await this.log.head()}`, ...address };
    yield* this.views(runId);
    const steps = await this.why.of({ ...address, wakeupId: null }, signal);
    yield* steps.map((step) => ({ kind: 'why' as const, ...step }));
    const concerned = new Set(steps.map(({ eventId }) => eventId));
    for (const stream of streams) yield* this.events(stream, concerned, signal);
    for (const stream of streams) yield* this.proof(stream, signal);
  }

  private async *views(runId: string): AsyncGenerator<BundleLine> {
    const { document, view } = await new RunAnswers(this.readModels).one(runId);
    yield { kind: 'run', run: view };
    const wakeups = await this.readModels.getMany(wakeupsProjection, document.wakeupIds);
    for (const wakeup of wakeups.values()) yield { kind: 'wakeup', wakeup: wakeupView(wakeup, document) };
  }

  /** Of the agent's stream those that concern the run, and its configurations; of the run's own streams all. */
  private async *events(
    stream: string,
    concerned: ReadonlySet<string>,
    signal: AbortSignal,
  ): AsyncGenerator<BundleLine> {
    const isAgents = stream.startsWith('agent-');
    for await (const stored of this.log.read(stream)) {
      signal.throwIfAborted();
      const isConfiguration = stored.type === 'AgentRegistered' || stored.type === 'AgentUpdated';
      if (isAgents && !isConfiguration && !concerned.has(stored.id)) continue;
      if (stored.type === 'LogChunked') yield outputOf(stored);
      else yield maskedEvent(stored, isConfiguration);
      const entry = LEDGER_TYPES.includes(stored.type) ? entryOf(decode<LedgerEvent>(stored).event) : null;
      if (entry && concerned.has(stored.id))
        yield { kind: 'usage', eventId: stored.id, at: stored.metadata.at, ...entry };
    }
  }

  private async *proof(stream: string, signal: AbortSignal): AsyncGenerator<BundleLine> {
    for await (const { revision, metadata } of this.log.read(stream, { direction: 'backwards', limit: 1 })) {
      yield { kind: 'chain', stream, revision, hash: metadata.hash };
    }
    // Also of output that is not kept any more: that it may be gone, and how much it was.
    for await (const step of await this.audit.verify({ stream }, 0n, signal)) {
      if (step.kind === 'result') yield { kind: 'verification', stream, result: step.result };
    }
  }
}

function outputOf({ id, revision, metadata: { at, hash }, data }: StoredEvent): Output {
  const { header, bytes } = decodeLogChunk(data as Uint8Array);
  const { stream, offset } = header;
  const text = isUtf8(bytes) ? { text: bytes.toString() } : { base64: Buffer.from(bytes).toString('base64') };
  return { kind: 'output', stream, offset, eventId: id, revision, at, hash, ...text };
}

function maskedEvent(stored: StoredEvent, isConfiguration: boolean): ExportedEvent & { masked: boolean } {
  const event = exportedEvent(stored);
  if (!isConfiguration || event.data === undefined) return { ...event, masked: false };
  const data = JSON.stringify(masked(JSON.parse(event.data)));
  return { ...event, data, masked: data !== event.data };
}
