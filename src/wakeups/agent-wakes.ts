import type { AgentsStore } from '../agents/agents.store';
import type { WakeupRequest } from '../agents/domain/agent.events';
import type { RegisteredAgent } from '../agents/domain/agent.state';
import { permissionsOf } from '../agents/domain/agent.state';
import type { CausingRun } from '../agents/domain/permissions';
import type { Principal } from '../auth/principal';
import { DomainError } from '../kernel/errors';

/** Which run stands behind the request of an agent. @throws DomainError `forbidden` where the agent may not ask */
export async function causingRun(
  agents: Pick<AgentsStore, 'inspect'>,
  { companyId, agentId, runId }: Principal,
  wanted: string,
): Promise<CausingRun | undefined> {
  if (companyId === null || agentId === null) return undefined;
  const asking = await agents.inspect({ companyId, agentId }, (state) => {
    if (state.status === 'unregistered') throw new Error('a token of an agent that was never registered');
    const { wake, loopLimit } = permissionsOf(state);
    return { wake, cause: { agentId, runId, loopLimit, ...rowOf(state, runId) } };
  });
  const { wake, cause } = asking;
  if (wake === 'none' || (wake === 'self' && wanted !== agentId)) {
    throw new DomainError('forbidden', 'The agent may not wake this one', { 'permissions.wake': wake });
  }
  return cause;
}

/** Of the run; outside of one, of the run among those going on that has come furthest. */
function rowOf(state: RegisteredAgent, runId: string | null): Pick<CausingRun, 'inRow' | 'startedAt'> {
  const running = [...state.runs.values()]
    .filter((run) => run.status === 'running' && (runId === null || run.runId === runId))
    .map(({ wakeupId, startedAt }) => ({ inRow: state.wakeups.get(wakeupId)?.inRow ?? 0, startedAt }));
  return running.sort((a, b) => b.inRow - a.inRow)[0] ?? { inRow: 0, startedAt: null };
}

/** The request of an agent says that it is one, whatever else it says. @throws DomainError `forbidden` */
export function asAskedBy({ agentId }: Principal, request: WakeupRequest): WakeupRequest {
  if (agentId === null) return request;
  if (request.triggerDetail === 'manual') {
    throw new DomainError('forbidden', 'Only a person wakes an agent by hand', { field: 'triggerDetail' });
  }
  return { ...request, requestedByActorType: 'agent', requestedByActorId: agentId };
}
