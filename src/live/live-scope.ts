import type { Concerns, LiveMessage } from './live-message';

/** What a follower wants to be told of: a company, one of its agents, or one of that agent's runs. */
export interface LiveScope extends Concerns {
  /** Also what runs write. */
  logs: boolean;
}

export function concerns({ companyId, agentId, runId }: LiveScope, { concerns }: LiveMessage): boolean {
  return (
    concerns.companyId === companyId &&
    (agentId === null || concerns.agentId === agentId) &&
    (runId === null || concerns.runId === runId)
  );
}

/** Where the followers of a scope are gathered: ids are unique, whatever they are ids of. */
export function roomOf({ companyId, agentId, runId }: Concerns): string {
  return runId ?? agentId ?? companyId;
}

/** The rooms of all who may want to be told. */
export function roomsOf({ companyId, agentId, runId }: Concerns): string[] {
  return [companyId, agentId, runId].filter((id) => id !== null);
}
