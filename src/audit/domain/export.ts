import type { EventMetadata, Revision } from '../../kernel/event';
import type { Group, HeadEntry } from './interval';

/** What an export of a company is made of: one of these a line, as JSON, in the order of the log. `docs/audit.md`. */
export type ExportLine = ExportHead | ExportedEvent | ExportedCheckpoint | ExportEnd;

export interface ExportHead {
  kind: 'export';
  format: 1;
  companyId: string;
  exportedAt: string;
  /** The end of the log at that time. */
  upTo: string;
  keys: { keyId: string; publicKey: string }[];
}

export interface ExportedEvent {
  kind: 'event';
  position: string;
  stream: string;
  revision: Revision;
  id: string;
  type: string;
  metadata: EventMetadata;
  /** The bytes as they were written: as text, */
  data?: string;
  /** or where they are none in base64. */
  base64?: string;
}

export interface ExportedCheckpoint {
  kind: 'checkpoint';
  position: string;
  revision: Revision;
  statement: string;
  signature: string;
  /** Of all companies that have heads in it: the SHA-256 of their ids, and digests over their heads. */
  groups: readonly Group[];
  /** Those of the company. */
  heads: readonly HeadEntry[];
}

/** An export without it is not whole. */
export interface ExportEnd {
  kind: 'end';
  /** Up to where the log was looked through. */
  position: string;
}
