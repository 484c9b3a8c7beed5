import type { Position } from '../../kernel/event';
import type { Collection } from '../document-store';
import type { FieldValue } from '../field-value';

/*
 * What passes between the store and those who write its files: plain values only, since they live in a thread of their
 * own. Documents are text by then, and their declared fields are columns.
 */

export type FileKind = Collection['kind'];

/** Of a document: its JSON text, then the columns of its fields in the order of the declaration. */
export type DocumentColumns = readonly FieldValue[];

export interface BatchRequest {
  kind: 'batch';
  file: FileKind;
  collection: string;
  writes: readonly { id: string; columns: DocumentColumns | null; position: Position }[];
  checkpoint: { name: string; position: Position };
}

export interface CompareAndSetRequest {
  kind: 'compareAndSet';
  file: FileKind;
  collection: string;
  id: string;
  expectedVersion: number | null;
  columns: DocumentColumns | null;
}

export interface EnsureRequest {
  kind: 'ensure';
  file: FileKind;
  collection: Collection;
}

export interface DropRequest {
  kind: 'drop';
  file: FileKind;
  collection: string;
}

export type DocumentRequest = BatchRequest | CompareAndSetRequest | EnsureRequest | DropRequest;

export type DocumentOutcome =
  | { kind: 'done' }
  /** Of a batch: whether each of its writes is in place, none having been left out as an old one. */
  | { kind: 'written'; isWhole: boolean }
  /** Of a `compareAndSet`. */
  | { kind: 'compared'; isSet: boolean }
  /** Nothing was written. */
  | { kind: 'failed'; error: unknown };
