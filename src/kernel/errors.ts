/**
 * Every way in which Reveille refuses a request. The edge maps codes to HTTP status (`src/http/problem.ts`);
 * a test holds `docs/errors.md` against this list.
 */
export const errorCatalogue = {
  bad_request: 'The request is not of the right form',
  payload_too_large: 'The request body is too large',
  unsupported_media_type: 'The request body is not JSON',
  uri_too_long: 'The URL of the request is too long',
  headers_too_large: 'The request header is too large',
  request_timeout: 'The request did not come in time',
  unauthorized: 'A valid token is needed',
  forbidden: 'The role of the token does not allow this',
  rate_limited: 'The token has made too many requests',
  forbidden_host: 'The Host or Origin of the request is not allowed',
  route_not_found: 'There is no such route',
  company_not_found: 'There is no such company',
  agent_not_found: 'There is no such agent',
  wakeup_not_found: 'There is no such wakeup',
  run_not_found: 'There is no such run',
  token_not_found: 'There is no such token',
  projection_not_found: 'There is no such projection',
  job_not_found: 'There is no such job',
  agent_not_wakeable: 'The agent cannot be woken in its status',
  agent_busy: 'The agent is busy and its policy rejects wakeups meanwhile',
  agent_status_conflict: 'The status of the agent does not allow this',
  too_many_open_wakeups: 'The agent has too many open wakeups',
  too_many_tokens: 'The company has too many tokens',
  too_many_streams: 'Too many sockets and event streams are open with the token',
  run_not_open: 'The run takes no reports: it is not running on this server',
  too_many_reports: 'The run has reported too much',
  idempotency_key_reused: 'The idempotency key was used for a different request',
  idempotency_key_conflict: 'The idempotency key in the header and the one in the body differ',
  projection_busy: 'Another job of the projection is going on',
  version_conflict: 'The resource has changed since it was read',
  log_aged_out: 'The output of the run is not kept any more',
  run_not_startable: 'The run cannot be started now',
  claim_lost: 'The run belongs to another claim',
  position_past_head: 'The position is past the head of the log',
  position_gone: 'The log no longer has the position',
  not_caught_up: 'The read model has not caught up with the position in time',
  log_empty: 'There is nothing on the log yet',
  nothing_to_swap: 'No rebuilt documents wait to take the place of the live ones',
  log_unavailable: 'The event log does not answer',
  documents_unavailable: 'The document store does not answer',
  internal: 'Something went wrong inside Reveille',
} as const;

export type ErrorCode = keyof typeof errorCatalogue;

/** A refused command or query. Changes nothing; `details` name what was wrong. */
export class DomainError extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string = errorCatalogue[code],
    readonly details: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'DomainError';
  }
}
