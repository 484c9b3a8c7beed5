import type { DocumentStore } from '../../documents/document-store';
import type { Clock } from '../../kernel/clock';
import type { SigningKey } from './signing-key';

const KEYS = { name: 'audit_keys', kind: 'durable', fields: {}, indexes: [] } as const;
const STATE = { name: 'audit_state', kind: 'durable', fields: {}, indexes: [] } as const;
const LEASE = 'lease';
/** A node that has not renewed its lease for so long is not the one that writes any more. */
const LEASE_MS = 30_000;
const MAX_KEYS = 1_000;

/** The public half of a node's key. */
export interface PublicKey {
  keyId: string;
  /** PEM. */
  publicKey: string;
  nodeId: string;
  /** When the node first had it, ISO 8601 UTC. */
  since: string;
}

interface Lease {
  nodeId: string;
  until: string;
}

/** What all nodes know of each other: their public keys, and who writes checkpoints. */
export class SharedAuditState {
  constructor(
    private readonly documents: DocumentStore,
    private readonly clock: Clock,
    private readonly nodeId: string,
  ) {}

  async open({ keyId, publicKey }: SigningKey): Promise<void> {
    await this.documents.ensure(KEYS);
    await this.documents.ensure(STATE);
    const key: PublicKey = { keyId, publicKey, nodeId: this.nodeId, since: this.now().toISOString() };
    await this.documents.compareAndSet(KEYS.name, keyId, null, key);
  }

  /** Of all nodes that there have been, the oldest first. */
  async keys(): Promise<PublicKey[]> {
    const found = await this.documents.scan<PublicKey>(KEYS.name, null, MAX_KEYS);
    return found.map(({ document }) => document).sort((a, b) => (a.since < b.since ? -1 : 1));
  }

  /** Takes or renews the lease; answers whether this node has it. */
  async holdLease(): Promise<boolean> {
    const stored = await this.documents.getVersioned<Lease>(STATE.name, LEASE);
    const nowMs = this.now().getTime();
    const isForeign = stored !== null && stored.document.nodeId !== this.nodeId;
    if (isForeign && Date.parse(stored.document.until) > nowMs) return false;
    const lease: Lease = { nodeId: this.nodeId, until: new Date(nowMs + LEASE_MS).toISOString() };
    return this.documents.compareAndSet(STATE.name, LEASE, stored?.version ?? null, lease);
  }

  private now(): Date {
    return this.clock.now();
  }
}
