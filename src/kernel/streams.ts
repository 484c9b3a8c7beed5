/** The one place where stream names are made and read: `<category>-<companyId>[.<id>]`. */

export const agentStream = (companyId: string, agentId: string) => `agent-${companyId}.${agentId}`;
export const runStream = (companyId: string, runId: string) => `run-${companyId}.${runId}`;
export const runLogStream = (companyId: string, runId: string) => `runlog-${companyId}.${runId}`;
export const companyStream = (companyId: string) => `company-${companyId}`;
/** Reserves an external key: whoever writes its first event has the key. `scope` is a company id, or `-` for companies. */
export const keyStream = (scope: string, keyHash: string) => `key-${scope}.${keyHash}`;

/** Tells where a log comes from that was filled from another one; see `event-log/migration.ts`. */
export const MIGRATION_STREAM = 'migration-log';

/** Signed checkpoints over the heads of all other streams; see `audit/domain/audit.events.ts`. */
export const AUDIT_STREAM = 'audit-checkpoints';

/** The streams that hold raw log bytes. Projections and sagas never read them. */
export const LOG_CATEGORY = 'runlog';

/** What a name has to look like: a category comes first. */
export const STREAM_NAME = /^[a-z]+-./;

/** `agent-0190…` → `agent`. */
export function categoryOf(stream: string): string {
  const dash = stream.indexOf('-');
  if (dash <= 0) throw new Error(`stream name without a category: ${stream}`);
  return stream.slice(0, dash);
}

/** Whose output a stream of raw log bytes holds. */
export function runOfLog(stream: string): { companyId: string; runId: string } {
  const companyId = ownerOf(stream);
  return { companyId, runId: stream.slice(LOG_CATEGORY.length + companyId.length + 2) };
}

/** Whose stream it is: `run-<companyId>.<runId>` → the company's id. Of a stream that is nobody's, what stands there. */
export function ownerOf(stream: string): string {
  const from = categoryOf(stream).length + 1;
  const dot = stream.indexOf('.', from);
  return stream.slice(from, dot < 0 ? undefined : dot);
}
