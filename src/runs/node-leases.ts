import type { DocumentStore } from '../documents/document-store';
import type { Clock } from '../kernel/clock';

const LEASES = { name: 'node_leases', kind: 'durable', fields: {}, indexes: [] } as const;
const RENEW_EVERY_MS = 5_000;

interface Lease {
  nodeId: string;
  /** The node's last sign of life, ISO 8601. */
  renewedAt: string;
}

/** Each node's sign of life: by it others tell whether its runs still have somebody who looks after them. */
export class NodeLeases {
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly documents: DocumentStore,
    private readonly clock: Clock,
    private readonly nodeId: string,
    private readonly onFault: (error: unknown) => void,
  ) {}

  async start(): Promise<void> {
    await this.documents.ensure(LEASES);
    await this.renew();
    this.timer = setInterval(() => void this.renew().catch(this.onFault), RENEW_EVERY_MS);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Milliseconds since the node's last sign of life; Infinity for one that never gave any. */
  async silenceMs(nodeId: string): Promise<number> {
    const lease = await this.documents.get<Lease>(LEASES.name, nodeId);
    return lease ? this.clock.now().getTime() - Date.parse(lease.renewedAt) : Infinity;
  }

  private async renew(): Promise<void> {
    const current = await this.documents.getVersioned<Lease>(LEASES.name, this.nodeId);
    const lease = { nodeId: this.nodeId, renewedAt: this.clock.now().toISOString() };
    await this.documents.compareAndSet(LEASES.name, this.nodeId, current?.version ?? null, lease);
  }
}
