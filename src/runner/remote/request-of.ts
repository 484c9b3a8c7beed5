import type { RemoteInvocation } from '../../adapters/adapter';
import { secretNames } from '../../adapters/adapter';
import type { ClaimedRun } from '../run-authority';
import type { RunEventInput } from '../run-event-writer';
import type { HttpRequest } from './http-request';
import { checkHeaders, shownUrl } from './http-request';

const UNDERSTOOD = 'application/json, application/x-ndjson, text/event-stream, text/*;q=0.5';

/**
 * What is sent for a run. A configuration may ask for another answer, but not say that another run is meant.
 *
 * @param configured the headers of the invocation, with the values of secrets
 * @param api where the run reaches the API, and what it shows there
 * @throws RunFailure `adapter_failed` that names the header, and not its value
 */
export function requestOf(
  { method, url, body }: RemoteInvocation,
  configured: Readonly<Record<string, string>>,
  run: ClaimedRun,
  api: { url: string; token: string },
): HttpRequest {
  // As `fetch` does it; a file that a secret was read from often ends with a line feed.
  const trimmed = Object.entries(configured).map(([name, value]) => [name, value.trim()]);
  const headers = {
    accept: UNDERSTOOD,
    'user-agent': 'reveille',
    ...(Object.fromEntries(trimmed) as Record<string, string>),
    'accept-encoding': 'identity',
    ...tokenHeader(trimmed, api.token),
    'reveille-api-url': api.url,
    'reveille-company-id': run.companyId,
    'reveille-agent-id': run.agentId,
    'reveille-run-id': run.runId,
  };
  checkHeaders(headers);
  return { method, url, headers, body };
}

/** Where somebody else's service wants a token of its own, that of the run stands beside it. */
function tokenHeader(configured: readonly string[][], token: string): Record<string, string> {
  const isTaken = configured.some(([name]) => name!.toLowerCase() === 'authorization');
  return isTaken ? { 'reveille-api-key': token } : { authorization: `Bearer ${token}` };
}

/** Says what is sent, and never a value of a header. */
export function invokedEvent(
  run: ClaimedRun,
  invocation: RemoteInvocation,
  request: HttpRequest,
): RunEventInput {
  const url = shownUrl(request.url);
  const payload = {
    adapterType: run.adapterType,
    method: request.method,
    url,
    headerNames: Object.keys(request.headers).sort(),
    secretNames: secretNames(invocation.headers),
    bodyBytes: Buffer.byteLength(request.body ?? ''),
  };
  return { eventType: 'adapter.invoke', message: `${run.adapterType}: ${request.method} ${url}`, payload };
}
