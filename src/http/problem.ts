import { z } from 'zod';
import type { DomainError, ErrorCode } from '../kernel/errors';
import { errorCatalogue } from '../kernel/errors';
import { jsonObject } from './schemas';

/** Which HTTP status tells of which refusal. */
export const statusOfCode: Readonly<Record<ErrorCode, number>> = {
  bad_request: 400,
  payload_too_large: 413,
  unsupported_media_type: 415,
  uri_too_long: 414,
  headers_too_large: 431,
  request_timeout: 408,
  unauthorized: 401,
  forbidden: 403,
  rate_limited: 429,
  forbidden_host: 403,
  route_not_found: 404,
  company_not_found: 404,
  agent_not_found: 404,
  wakeup_not_found: 404,
  run_not_found: 404,
  token_not_found: 404,
  projection_not_found: 404,
  job_not_found: 404,
  agent_not_wakeable: 409,
  agent_busy: 409,
  agent_status_conflict: 409,
  too_many_open_wakeups: 429,
  too_many_tokens: 409,
  too_many_streams: 429,
  run_not_open: 409,
  too_many_reports: 429,
  idempotency_key_reused: 422,
  idempotency_key_conflict: 400,
  projection_busy: 409,
  version_conflict: 412,
  log_aged_out: 410,
  run_not_startable: 409,
  claim_lost: 409,
  position_past_head: 400,
  position_gone: 410,
  not_caught_up: 503,
  log_empty: 409,
  nothing_to_swap: 409,
  log_unavailable: 503,
  documents_unavailable: 503,
  internal: 500,
};

/** An RFC 9457 problem document. */
export const problemSchema = z
  .object({
    type: z.string().describe('`urn:reveille:problem:` and the code'),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(Object.keys(errorCatalogue) as ErrorCode[]),
    details: jsonObject.describe(
      '`field` names what is wrong, `issues` lists all of it as `{path, message}`',
    ),
  })
  .meta({ id: 'Problem', description: 'Why a request was refused (RFC 9457): it has changed nothing' });

export type Problem = z.output<typeof problemSchema>;

export function problemOf(error: DomainError): Problem {
  return {
    type: `urn:reveille:problem:${error.code}`,
    title: errorCatalogue[error.code],
    status: statusOfCode[error.code],
    detail: error.message,
    code: error.code,
    details: error.details,
  };
}

/** Seconds after which it makes sense to come again; null where it makes none. */
export function retryAfterSec(code: ErrorCode): number | null {
  return statusOfCode[code] === 503 || code === 'rate_limited' ? 1 : null;
}
