import type { DocumentStore } from '../documents/document-store';
import type { Clock } from '../kernel/clock';
import type { NodeLease } from '../runner/process-loss';

const LEASES = { name: 'node_leases', kind: 'durable', fields: {}, indexes: [] } as const;
const RENEW_EVERY_MS = 5_000;

export interface Lease extends NodeLease {
  nodeId: string;
}

/** Each node's sign of life: by it others tell whether its runs still have somebody who looks after them. */
export class NodeLeases {
  private timer: NodeJS.Timeout | undefined;
  private writing: Promise<void> = Promise.resolve();
  private former: Lease | null = null;
  private present: Lease | null = null;

  constructor(
    private readonly deps: {
      documents: DocumentStore;
      clock: Clock;
      nodeId: string;
      /** How long the others are to wait for this node after it has stopped in order. */
      backWithinSec: number;
      onFault: (error: unknown) => void;
    },
  ) {}

  async start(): Promise<void> {
    await this.deps.documents.ensure(LEASES);
    this.former = await this.of(this.deps.nodeId);
    await this.write(null);
    const renew = () => void this.write(null).catch(this.deps.onFault);
    this.timer = setInterval(renew, RENEW_EVERY_MS);
    this.timer.unref();
  }

  /** Leaves word when this node will be back. */
  async stop(): Promise<void> {
    if (this.timer === undefined) return;
    clearInterval(this.timer);
    const { clock, backWithinSec, onFault } = this.deps;
    const backBy = new Date(clock.now().getTime() + backWithinSec * 1_000).toISOString();
    await this.write(backBy).catch(onFault);
  }

  /** Null for a node that never gave a sign of life. */
  of(nodeId: string): Promise<Lease | null> {
    return this.deps.documents.get<Lease>(LEASES.name, nodeId);
  }

  /** What this node has said last, in this life or in the one before it; null: nothing. */
  own(life: 'former' | 'present'): Lease | null {
    return this[life];
  }

  /** Whether the holder has been silent for longer than that, and is not expected back either. */
  isStale(lease: Lease | null, staleThresholdMs: number): boolean {
    if (lease === null) return true;
    const nowMs = this.deps.clock.now().getTime();
    if (lease.backBy !== null && nowMs < Date.parse(lease.backBy)) return false;
    return nowMs - Date.parse(lease.renewedAt) > staleThresholdMs;
  }

  /** One after the other: the last word is to be the last one on disk. */
  private write(backBy: string | null): Promise<void> {
    const { documents, nodeId, clock } = this.deps;
    const written = this.writing.then(async () => {
      const current = await documents.getVersioned<Lease>(LEASES.name, nodeId);
      const lease: Lease = { nodeId, renewedAt: clock.now().toISOString(), backBy };
      await documents.compareAndSet(LEASES.name, nodeId, current?.version ?? null, lease);
      this.present = lease;
    });
    this.writing = written.catch(() => undefined);
    return written;
  }
}
