import type { OpenApiDocument } from '../../src/openapi/openapi-document';
import { ApiContract } from '../support/api-contract';
import type { Problem } from '../e2e/http/client';
import type { FuzzRequest } from './fuzz-request';
import type { WireAnswer } from './wire';

const NOT_DESCRIBED = /not described|no operation is described/;

/** Holds answers against what is promised, whatever was asked. */
export class Judge {
  private readonly contract: ApiContract;

  constructor(document: OpenApiDocument) {
    this.contract = new ApiContract(document);
  }

  /** The operations that have answered with 2xx, as the document says they do. */
  get succeeded(): ReadonlySet<string> {
    const good = [...this.contract.checked].filter((answer) => / 2\d\d$/.test(answer));
    return new Set(good.map((answer) => answer.split(' ', 1)[0]!));
  }

  /** @returns what is wrong with the answer */
  wrongs(request: FuzzRequest, answer: WireAnswer | null): string[] {
    if (answer === null) return request.isUnframed ? [] : ['the connection was closed without an answer'];
    const { status } = answer;
    if (status >= 500) return [`${status}: ${answer.bytes.toString()}`];
    // Not Reveille's own: Socket.IO answers there, in its own way.
    if (/^\/+socket\.io\//.test(request.target)) return [];
    if (request.method === 'HEAD') return [];
    const body = parsedBody(answer);
    if (body === UNREADABLE)
      return [`${status}: is said to be JSON, and is none: ${answer.bytes.toString()}`];
    const told = { status, headers: answer.headers, bytes: answer.bytes, body };
    const wrong = this.isStream(answer) ? [] : this.contract.check(request.method, pathOf(request), told);
    if (status < 300) return wrong;
    // A name that no route has room for leads to none.
    if (status === 404 && (body as Problem).code === 'route_not_found')
      return wrongProblem(request, answer, body);
    return [
      ...wrong.filter((problem) => !NOT_DESCRIBED.test(problem) || !mayBeUndescribed(request, status)),
      ...wrongProblem(request, answer, body),
    ];
  }

  private isStream({ headers }: WireAnswer): boolean {
    return headers['content-type']?.startsWith('text/event-stream') === true;
  }
}

const UNREADABLE = Symbol('no JSON');

function parsedBody({ headers, bytes }: WireAnswer): unknown {
  const text = bytes.toString();
  if (!/\bjson\b/.test(headers['content-type'] ?? '')) return text;
  try {
    return JSON.parse(text);
  } catch {
    return UNREADABLE;
  }
}

export function bodyOf(answer: WireAnswer): unknown {
  const body = parsedBody(answer);
  return body === UNREADABLE ? null : body;
}

function pathOf({ target }: FuzzRequest): string {
  return target.replace(/^http:\/\/[^/]+/, '').split(/[?#]/, 1)[0]!;
}

/** The document describes what is asked for; how it is sent, and what is nowhere, is HTTP's. */
function mayBeUndescribed({ operationId, kind, isUnframed }: FuzzRequest, status: number): boolean {
  // Of any request whose ids are long enough.
  if (status === 414) return true;
  const isOfTheWire = [400, 404, 408, 413, 414, 415, 417, 431].includes(status);
  return isOfTheWire && (operationId === null || isUnframed || !/^(valid|body)/.test(kind));
}

/** Every refusal is a problem document that says what is wrong. */
function wrongProblem(request: FuzzRequest, { status, headers }: WireAnswer, body: unknown): string[] {
  if (headers['content-type']?.startsWith('application/problem+json') !== true) {
    return [`${status}: the refusal is no problem document, but ${headers['content-type'] ?? 'nothing'}`];
  }
  const { code, detail, details, ...problem } = body as Problem;
  const wrong: string[] = [];
  if (problem.status !== status) wrong.push(`the problem says ${problem.status}, the answer ${status}`);
  if (typeof detail !== 'string' || detail.trim() === '') wrong.push(`${code}: no detail`);
  if (code === 'bad_request' && !request.isUnframed && !namesField(detail, details)) {
    wrong.push(`bad_request names no field: ${JSON.stringify(body)}`);
  }
  return wrong;
}

/** The body as a whole has no name of its own. */
function namesField(detail: string, { field }: Problem['details']): boolean {
  // What Node's parser cannot read has no fields.
  if (detail.startsWith('not HTTP: ')) return true;
  return typeof field === 'string' && (field === '' ? /\bbody\b/.test(detail) : detail.includes(field));
}
