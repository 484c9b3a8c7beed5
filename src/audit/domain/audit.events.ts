import type { DomainEvent } from '../../kernel/event';
import type { ShapesOf } from '../../kernel/event-shape';
import { FIRST_SHAPE } from '../../kernel/event-shape';
import type { HeadEntry } from './interval';

/**
 * The events of `audit-checkpoints`. A checkpoint covers all events since the one before it: its heads are those of the
 * streams that have grown meanwhile. The heads of all others are in the checkpoints before, which it is chained to. So
 * a checkpoint costs what has happened since the last one, however many streams there are, and nothing has to be kept
 * to write it.
 */
export type AuditEvent =
  DomainEvent<'CheckpointHeadsRecorded', CheckpointHeads> | DomainEvent<'CheckpointSigned', SignedStatement>;

export const auditEventShapes: ShapesOf<AuditEvent> = {
  CheckpointHeadsRecorded: FIRST_SHAPE,
  CheckpointSigned: FIRST_SHAPE,
};

/** Heads of a checkpoint, as many as one append takes. Those of which no checkpoint has the root were not finished. */
export interface CheckpointHeads {
  number: number;
  /** Of the checkpoint that they belong to. */
  root: string;
  heads: HeadEntry[];
}

export interface SignedStatement {
  /** The JSON text of a `Statement`: exactly these bytes are signed. */
  statement: string;
  /** Ed25519, base64. */
  signature: string;
}
