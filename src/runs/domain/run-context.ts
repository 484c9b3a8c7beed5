import type { WakeupRequest } from '../../agents/domain/agent.events';

/** What a run's context is made of: the requests that the run stands for. */
export interface ContextWakeup {
  id: string;
  request: Pick<WakeupRequest, 'source' | 'triggerDetail' | 'reason' | 'payload' | 'contextSnapshot'>;
}

const MAX_WAKEUPS = 100;
const MAX_WAKEUPS_BYTES = 256 * 1024;

/**
 * The context that the agent is given and that readers are shown. The top-level keys come from the first request, and
 * what that one left blank is completed from the request itself.
 *
 * @param newest in the order of arrival, the first one included where it is among the newest 100
 * @param total  how many requests the run stands for
 */
export function composeContext(
  first: ContextWakeup,
  newest: readonly ContextWakeup[],
  total: number,
): Record<string, unknown> {
  const { source, triggerDetail, reason, payload, contextSnapshot } = first.request;
  const context: Record<string, unknown> = { ...contextSnapshot };
  // Ours to say, not the client's.
  delete context['wakeupsOmitted'];
  const issueId = payload?.['issueId'];
  complete(context, 'wakeReason', reason);
  complete(context, 'issueId', issueId);
  complete(context, 'taskId', issueId);
  complete(context, 'wakeSource', source);
  complete(context, 'wakeTriggerDetail', triggerDetail);
  const wakeups = newestThatFit(newest);
  context['wakeups'] = wakeups;
  if (wakeups.length < total) context['wakeupsOmitted'] = total - wakeups.length;
  return context;
}

function complete(context: Record<string, unknown>, key: string, value: unknown): void {
  const present = context[key];
  if (typeof present === 'string' && present.trim() !== '') return;
  if (value === null || value === undefined) return;
  context[key] = value;
}

function newestThatFit(wakeups: readonly ContextWakeup[]): object[] {
  const fitting: object[] = [];
  // The brackets around all, less the comma that is missing after the last.
  let bytes = '[]'.length - ','.length;
  for (const { id, request } of wakeups.slice(-MAX_WAKEUPS).reverse()) {
    const { source, reason, payload, contextSnapshot } = request;
    const entry = { id, source, reason, payload, contextSnapshot };
    bytes += Buffer.byteLength(JSON.stringify(entry)) + ','.length;
    if (bytes > MAX_WAKEUPS_BYTES) break;
    fitting.push(entry);
  }
  return fitting.reverse();
}
