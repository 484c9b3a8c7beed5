import type { CanActivate, ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { principalOf } from '../http/actor';
import { routeOf } from '../http/handles';
import type { OwnedId, Route } from '../http/route';
import { ownedIdsOf } from '../http/route';
import type { ErrorCode } from '../kernel/errors';
import { DomainError } from '../kernel/errors';
import { suffices } from './access';
import type { Principal } from './principal';
import { sees } from './principal';

/** What an id belongs to. `agentId` is null for a company itself. */
export interface Owner {
  companyId: string;
  agentId: string | null;
}

/** Finds owners. Each method @throws DomainError where there is no such thing */
export interface OwnerDirectory {
  company(id: string): Promise<{ id: string }>;
  agent(id: string): Promise<{ companyId: string; agentId: string }>;
  wakeup(id: string): Promise<{ companyId: string; agentId: string }>;
  run(id: string): Promise<{ companyId: string; agentId: string }>;
}

type FindOwner = (directory: OwnerDirectory, id: string) => Promise<Owner>;

const finders: Record<OwnedId, { find: FindOwner; missing: ErrorCode }> = {
  companyId: {
    find: async (directory, id) => ({ companyId: (await directory.company(id)).id, agentId: null }),
    missing: 'company_not_found',
  },
  agentId: { find: (directory, id) => directory.agent(id), missing: 'agent_not_found' },
  wakeupId: { find: (directory, id) => directory.wakeup(id), missing: 'wakeup_not_found' },
  runId: { find: (directory, id) => directory.run(id), missing: 'run_not_found' },
};

/**
 * Stands before every handler. What the path, or the query, names and the client's company does not own is answered like what is not
 * there, before anything else is looked at; then the role has to be enough.
 */
export class AccessGuard implements CanActivate {
  constructor(private readonly directory: OwnerDirectory) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    // Sockets are asked for their rights where they subscribe.
    if (context.getType() !== 'http') return true;
    const route = routeOf(context.getHandler());
    if (!route) throw new Error(`${context.getHandler().name} handles no route that says who may call it`);
    if (route.access === 'open') return true;
    const principal = principalOf(context);
    // The server's own token is for everything, and its handlers look for themselves.
    if (principal.companyId === null) return true;
    if (route.access === 'server') throw new DomainError('forbidden', undefined, needed(route));
    const owners = await this.ownersOf(context.switchToHttp().getRequest<FastifyRequest>(), route, principal);
    if (!mayCall(principal, route, owners)) throw new DomainError('forbidden', undefined, needed(route));
    return true;
  }

  /** @throws DomainError like that of an id which nobody knows */
  private async ownersOf(request: FastifyRequest, route: Route, principal: Principal): Promise<Owner[]> {
    const owners: Owner[] = [];
    const { part, names } = ownedIdsOf(route);
    for (const name of names) {
      const id = (request[part] as Partial<Record<OwnedId, unknown>>)[name];
      // What a query leaves out, or says twice, its own check knows about.
      if (typeof id !== 'string') continue;
      const { find, missing } = finders[name];
      const owner = await find(this.directory, id);
      if (!sees(principal, owner.companyId)) throw new DomainError(missing);
      owners.push(owner);
    }
    return owners;
  }
}

function mayCall({ role, agentId }: Principal, { access, agents }: Route, owners: readonly Owner[]): boolean {
  if (role !== 'agent') return suffices(role, access);
  return agents === 'company' || (agents === 'own' && owners.every((owner) => owner.agentId === agentId));
}

function needed({ access, agents }: Route): Record<string, string> {
  return { role: access, ...(agents && { agents }) };
}
