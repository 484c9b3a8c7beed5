import type { Actor } from '../kernel/event';
import type { Role } from './access';

/** Who asks, as the token says. */
export interface Principal {
  /** What the metadata of events names. */
  actor: Actor;
  /** null: all of them. Only the server's own admin token is of none. */
  companyId: string | null;
  role: Role;
  /** Of the token, as long as the process lives: whatever is counted or closed by token goes by it. */
  key: string;
  /** ISO 8601; null: the token has no end of its own. */
  expiresAt: string | null;
  /** The agent that the token is of; null for people. */
  agentId: string | null;
  /** The run that the token was made for, and ends with; null for tokens of another kind. */
  runId: string | null;
}

/** Whoever has the admin token of the server, and everybody where nobody is asked for one. */
export const SERVER_ADMIN: Principal = {
  actor: { type: 'user', id: 'admin' },
  companyId: null,
  role: 'admin',
  key: 'admin',
  expiresAt: null,
  agentId: null,
  runId: null,
};

/** Whether what belongs to a company is there at all for the client. */
export function sees({ companyId }: Principal, ownerId: string): boolean {
  return companyId === null || companyId === ownerId;
}
