import { sha256Hex } from '../../kernel/canonical-json';
import { CHAIN_START } from '../../kernel/chain';
import type { Revision } from '../../kernel/event';
import type { Group, HeadEntry } from './interval';

/** What a checkpoint says and signs. */
export interface Statement {
  format: 1;
  /** 1, 2, 3 … without gaps. */
  number: number;
  /** SHA-256 (hex) of the statement before, as it was signed; zeros for the first one. */
  previous: string;
  /** How many events it covers, and of how many streams. */
  events: number;
  streams: number;
  /** The last event that it covers. A log that was migrated has other positions; stream and revision stay. */
  last: { stream: string; revision: Revision; position: string };
  /** Over the digests of all companies' heads. */
  root: string;
  /** When it was signed, ISO 8601 UTC. */
  at: string;
  /** Of the key that it is signed with. */
  keyId: string;
}

export const FIRST_PREVIOUS = CHAIN_START;

export function statementHash(text: string): string {
  return sha256Hex(text);
}

/** A checkpoint with what is known of its heads: all of them, or those of one company. */
export interface Checkpoint {
  text: string;
  statement: Statement;
  /** Ed25519 over the text, base64. */
  signature: string;
  groups: readonly Group[];
  heads: readonly HeadEntry[];
  /** Whose heads these are; null: of whoever is asked about, out of all that there are. */
  owner: string | null;
  /** Of the event that has the signature. */
  revision: Revision;
  position: string;
}
