import type { LocalInvocation } from '../adapters/adapter';
import { RUN_ID_VARIABLE } from './process-tree';
import type { ClaimedRun } from './run-authority';
import type { RunFolder } from './run-folder';

/**
 * The whole environment of an agent. What Reveille says about the run cannot be overridden by a configuration.
 *
 * @param base the allow-listed part of the server's own environment
 */
export function agentEnvironment(
  base: Readonly<Record<string, string>>,
  invocation: LocalInvocation,
  run: ClaimedRun,
  folder: RunFolder,
  apiUrl: string,
): Record<string, string> {
  return {
    ...base,
    ...invocation.env,
    REVEILLE_API_URL: apiUrl,
    REVEILLE_AGENT_ID: run.agentId,
    REVEILLE_COMPANY_ID: run.companyId,
    [RUN_ID_VARIABLE]: run.runId,
    ...(run.sessionId === null ? {} : { REVEILLE_SESSION_ID: run.sessionId }),
    REVEILLE_CONTEXT_FILE: folder.contextFile,
    REVEILLE_RESULT_FILE: folder.resultFile,
    REVEILLE_EVENTS_FILE: folder.eventsFile,
  };
}
