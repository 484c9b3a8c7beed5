import type { IncomingHttpHeaders } from 'node:http';
import { uuidv7 } from '../kernel/ids';

/** What may go into logs and onto the event log as it came. */
const REQUEST_ID = /^[A-Za-z0-9._:-]{1,128}$/;
const TRACE_PARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** The caller's `X-Request-Id`, the trace of its `traceparent` (W3C Trace Context), or a new id. */
export function requestIdOf(headers: IncomingHttpHeaders): string {
  const named = headers['x-request-id'];
  if (typeof named === 'string' && REQUEST_ID.test(named)) return named;
  const trace = TRACE_PARENT.exec(String(headers['traceparent']))?.[1];
  return trace ?? uuidv7();
}
