import { statusOfCode } from '../http/problem';
import type { RouteDescription } from '../http/route';
import type { ErrorCode } from '../kernel/errors';

/** What a route may refuse a request with, by status: its own reasons, and those of its kind. */
export function refusalsOf(route: RouteDescription): Map<number, ErrorCode[]> {
  const codes = new Set<ErrorCode>([...(route.errors ?? []), ...reasonsOfKind(route)]);
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of [...codes].sort()) {
    const status = statusOfCode[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return byStatus;
}

function reasonsOfKind({ access, body, query }: RouteDescription): ErrorCode[] {
  const codes: ErrorCode[] = ['forbidden_host', 'internal'];
  // Whatever looks for a company, an agent, … may have to wait for the read models, and these for the log.
  if (access !== 'open') {
    codes.push(
      'unauthorized',
      'forbidden',
      'rate_limited',
      'bad_request',
      'log_unavailable',
      'documents_unavailable',
      'not_caught_up',
    );
  }
  if (body) codes.push('payload_too_large', 'unsupported_media_type');
  if (query && 'waitFor' in query.shape) codes.push('position_past_head', 'position_gone');
  return codes;
}
