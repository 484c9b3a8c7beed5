import type { Revision } from '../../kernel/event';

export type FindingKind =
  /** The bytes of an event are not those that it was written with. */
  | 'changed'
  /** Events are where others were. */
  | 'swapped'
  /** Events are gone, and later ones of their stream are there. */
  | 'removed'
  /** The end of a stream is gone. */
  | 'cut_off'
  /** No event of the stream is there. */
  | 'stream_removed'
  /** A stream was written anew: its hashes agree with each other, not with what was signed. */
  | 'rewritten'
  /** What an event says beside its data: who did it, why, for which command. */
  | 'metadata_changed'
  /** An event stands where one has been already. */
  | 'out_of_order'
  /** A checkpoint is not what was signed, or is missing. */
  | 'checkpoint';

/** Something that is not as it was written. */
export interface Finding {
  kind: FindingKind;
  stream: string;
  revision: Revision;
  /** The last one of several. */
  toRevision: Revision;
  /** Of the event; null where that is gone, or it is about several. */
  eventId: string | null;
  /** Where it stands on the log; null where it is gone. */
  position: string | null;
  /** The number of the checkpoint that says so; null: the chain of the stream does. */
  checkpoint: number | null;
  expected: string | null;
  found: string | null;
  /** All of it in one line. */
  message: string;
}
