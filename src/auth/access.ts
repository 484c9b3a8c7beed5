/** Which token may call which route. */

/** What a token of a company may be. `agent` stands apart: it is no person, and may do only what concerns its agent. */
export const roles = ['viewer', 'operator', 'admin', 'agent'] as const;
export type Role = (typeof roles)[number];

/** The roles of people: each may do what the ones before it may. */
const ranks = { viewer: 1, operator: 2, admin: 3 } as const satisfies Partial<Record<Role, number>>;

/**
 * Who may call a route. `open`: needs no token. `server`: only the admin token of the server, which is of no company.
 * A role: tokens of the company with that role, or a higher one.
 */
export type Access = 'open' | 'server' | keyof typeof ranks;

/**
 * What tokens of agents may do with a route; left out: nothing. `own`: where the path names their own agent, or a run or
 * wakeup of it. `company`: wherever it names something of their company; then the handler says what they may.
 */
export type AgentAccess = 'own' | 'company';

/** Whether a person's role is enough. */
export function suffices(role: Role, access: Access): boolean {
  return access !== 'server' && (access === 'open' || (role !== 'agent' && ranks[role] >= ranks[access]));
}
