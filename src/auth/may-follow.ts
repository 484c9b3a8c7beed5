import type { Actor } from '../kernel/event';

/** Whether what happens in a company may be told to this client. The admin token is good for all of them. */
export function mayFollow(principal: Actor, _companyId: string): boolean {
  return principal.type === 'user' && principal.id === 'admin';
}
