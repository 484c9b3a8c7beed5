import { RUN_ID_VARIABLE } from './process-watch';
import type { ClaimedRun } from './run-authority';
import type { RunFolder } from './run-folder';

/**
 * The whole environment of an agent. What Reveille says about the run cannot be overridden by a configuration.
 *
 * @param base the allow-listed part of the server's own environment
 * @param configured what the adapter asks for, secrets included
 */
export function agentEnvironment(
  base: Readonly<Record<string, string>>,
  configured: Readonly<Record<string, string>>,
  run: ClaimedRun,
  folder: RunFolder,
  api: { url: string; token: string },
): Record<string, string> {
  return {
    ...base,
    ...configured,
    REVEILLE_API_URL: api.url,
    REVEILLE_API_KEY: api.token,
    REVEILLE_AGENT_ID: run.agentId,
    REVEILLE_COMPANY_ID: run.companyId,
    [RUN_ID_VARIABLE]: run.runId,
    // Empty without a session: a shell under `set -u` stops at what is not set.
    REVEILLE_SESSION_ID: run.sessionId ?? '',
    REVEILLE_CONTEXT_FILE: folder.contextFile,
    REVEILLE_RESULT_FILE: folder.resultFile,
    REVEILLE_EVENTS_FILE: folder.eventsFile,
  };
}
