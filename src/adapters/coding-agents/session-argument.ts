import type { InvocationContext } from '../adapter';

/**
 * The session to go on with, as an argument of the program; null: a new one. An agent says itself what its session is
 * (`sessionId` in its result), and what begins with a dash would be an option for its next run, as the one that takes
 * its sandbox away.
 */
export function sessionArgument({ sessionId }: Pick<InvocationContext, 'sessionId'>): string | null {
  return sessionId?.startsWith('-') ? null : sessionId;
}
