import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Answer, TestServer } from '../../support/server';
import { waitUntil } from '../../support/server';
import { temporaryFolder } from '../../support/temporary-folder';

/** The service as its clients know it: the shapes are the contract's, written down once more. */

export interface Company {
  id: string;
  name: string;
  externalKey: string | null;
  status: string;
  createdAt: string;
  logRetentionDays: number | null;
}

export interface Agent {
  id: string;
  companyId: string;
  externalKey: string | null;
  name: string;
  adapterType: string;
  adapterConfig: Record<string, unknown>;
  runtimeConfig: { heartbeat: Record<string, unknown> };
  status: string;
  statusReason: string | null;
  lastHeartbeatAt: string | null;
  activeRunIds: string[];
  nextDueAt: string | null;
  spentMonthMicros: number;
  version: number;
  cancelledRuns?: string[];
}

export interface Wakeup {
  id: string;
  companyId: string;
  agentId: string;
  status: string;
  source: string;
  triggerDetail: string | null;
  reason: string | null;
  requestedByActorType: string | null;
  requestedByActorId: string | null;
  skipReason: string | null;
  contextSnapshot: Record<string, unknown> | null;
  runId: string | null;
  runStatus: string | null;
  dueAt: string | null;
  deadlineAt: string | null;
  requestedAt: string;
  claimedAt: string | null;
  finishedAt: string | null;
  error: string | null;
}

export interface Run {
  id: string;
  companyId: string;
  agentId: string;
  status: string;
  contextSnapshot: Record<string, unknown> & { wakeups: { id: string }[] };
  wakeupIds: string[];
  coalescedCount: number;
  attempt: number;
  retryOfRunId: string | null;
  sessionIdBefore: string | null;
  sessionIdAfter: string | null;
  queuedAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  exitCode: number | null;
  endCause: string | null;
  endRequestedAt: string | null;
  error: string | null;
  errorCode: string | null;
  logs: Record<'stdout' | 'stderr', { bytes: number; sha256: string; storedSha256: string | null }> | null;
  logBytes: number | null;
  logSha256: string | null;
  stdoutExcerpt: string;
  stderrExcerpt: string;
}

export interface RunEvent {
  seq: number;
  eventType: string;
  stream: string;
  level: string;
  message: string;
  payload: Record<string, unknown> | null;
}

export interface LogPage {
  runId: string;
  content: string;
  offset: number;
  nextOffset: number;
  totalBytes: number;
  eof: boolean;
}

export interface Woken {
  wakeup: Wakeup;
  run: Run | null;
  position: string;
}

export interface Page<Item> {
  items: Item[];
  nextCursor: string | null;
}

export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  details: Record<string, unknown> & { field?: string; issues?: { path: string; message: string }[] };
}

export const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
export const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
/** An id of the right form that belongs to nothing. */
export const UNKNOWN_ID = '01890000-0000-7000-8000-000000000000';

const FINAL_RUN = ['succeeded', 'failed', 'cancelled', 'timed_out'];
const OPEN_WAKEUP = ['queued', 'claimed', 'deferred'];

export async function openCompany(server: TestServer, name = 'Acme'): Promise<Company> {
  return expectStatus(await server.api<Company>('POST', '/v1/companies', { name }), 201);
}

/** @param heartbeat the policy; what it leaves out has its default */
export async function registerAgent(
  server: TestServer,
  companyId: string,
  agent: { adapterConfig?: object; heartbeat?: object; requiresApproval?: boolean; name?: string } = {},
): Promise<Agent> {
  const { heartbeat = {}, ...rest } = agent;
  const body = { ...agentBody(), ...rest, runtimeConfig: { heartbeat } };
  return expectStatus(await server.api<Agent>('POST', `/v1/companies/${companyId}/agents`, body), 201);
}

/** What registers an agent that succeeds at once. */
export function agentBody() {
  return { name: 'Ada', adapterType: 'process', adapterConfig: { command: 'true' } };
}

/** An agent in a company of its own, which runs a shell script. */
export async function scriptedAgent(
  server: TestServer,
  script: string,
  { args = [], config = {}, heartbeat = {} }: { args?: string[]; config?: object; heartbeat?: object } = {},
): Promise<Agent> {
  const company = await openCompany(server);
  const adapterConfig = { ...shell(script, ...args), ...config };
  return registerAgent(server, company.id, { adapterConfig, heartbeat });
}

/** `adapterConfig` of a shell script; `args` are its `$1`, `$2` … */
export function shell(script: string, ...args: string[]) {
  return { command: '/bin/sh', args: ['-c', script, 'sh', ...args] };
}

/**
 * A thing that agents wait for. Whoever waits also leaves, without success, when the folder is gone: so no process
 * outlives the test.
 */
export class Gate {
  private readonly folder = join(temporaryFolder(), 'gate');
  /** A file that exists once the gate is open. */
  readonly path = join(this.folder, 'open');
  /** Shell code that waits in the foreground. */
  readonly wait = `while [ ! -e '${this.path}' ]; do [ -d '${this.folder}' ] || exit 99; sleep 0.02; done`;

  constructor() {
    mkdirSync(this.folder);
  }

  open(): void {
    writeFileSync(this.path, '');
  }
}

export async function wake(server: TestServer, agentId: string, body?: object): Promise<Woken> {
  return expectStatus(await server.api<Woken>('POST', `/v1/agents/${agentId}/wakeups`, body), 202);
}

export async function getAgent(server: TestServer, agentId: string, waitFor?: string): Promise<Agent> {
  return get(server, `/v1/agents/${agentId}${waitFor ? `?waitFor=${waitFor}` : ''}`);
}

export async function getRun(server: TestServer, runId: string): Promise<Run> {
  return get(server, `/v1/runs/${runId}`);
}

export async function getWakeup(server: TestServer, wakeupId: string): Promise<Wakeup> {
  return get(server, `/v1/wakeups/${wakeupId}`);
}

export async function get<Body>(server: TestServer, path: string): Promise<Body> {
  return expectStatus(await server.api<Body>('GET', path), 200);
}

/** Wakes an agent that is free, and answers its run when that is over. */
export async function runOnce(server: TestServer, agentId: string, body?: object): Promise<Run> {
  const { run } = await wake(server, agentId, body);
  return untilFinal(server, run!.id);
}

export async function untilFinal(server: TestServer, runId: string, timeoutMs?: number): Promise<Run> {
  const look = async () => {
    const run = await getRun(server, runId);
    return FINAL_RUN.includes(run.status) && run;
  };
  return waitUntil(look, `run ${runId} is over`, timeoutMs);
}

export async function untilRunning(server: TestServer, runId: string): Promise<Run> {
  return waitUntil(async () => {
    const run = await getRun(server, runId);
    if (FINAL_RUN.includes(run.status)) throw new Error(`run ${runId} is over: ${run.status}, ${run.error}`);
    return run.status === 'running' && run;
  }, `run ${runId} is running`);
}

/** Until the agent has written this to its standard output: then its script has come that far. */
export async function untilOutput(server: TestServer, runId: string, text: string): Promise<void> {
  await waitUntil(
    async () => {
      const { content } = await get<LogPage>(server, `/v1/runs/${runId}/log?stream=stdout`);
      return content.includes(text);
    },
    `run ${runId} has written ${JSON.stringify(text)}`,
  );
}

export async function untilDecided(server: TestServer, wakeupId: string): Promise<Wakeup> {
  return waitUntil(async () => {
    const wakeup = await getWakeup(server, wakeupId);
    return !OPEN_WAKEUP.includes(wakeup.status) && wakeup;
  }, `wakeup ${wakeupId} is over`);
}

/** All items, page by page. */
export async function listAll<Item>(server: TestServer, path: string, limit: number): Promise<Item[]> {
  const items: Item[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const query = `${path.includes('?') ? '&' : '?'}limit=${limit}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`;
    const page: Page<Item> = await get(server, `${path}${query}`);
    expect(page.items.length).toBeLessThanOrEqual(limit);
    items.push(...page.items);
    cursor = page.nextCursor;
  }
  return items;
}

interface Ready {
  eventLog: { head: string };
  consumers: { reached: string }[];
  runs: { active: number; waiting: number };
}

/** Position of the last event on the log, once every projection and saga has handled it. */
export async function caughtUp(
  server: TestServer,
  isQuiet: (ready: Ready) => boolean = () => true,
  timeoutMs?: number,
): Promise<string> {
  const look = async () => {
    const ready = await get<Ready>(server, '/health/ready');
    const { head } = ready.eventLog;
    const isCaughtUp = ready.consumers.every(({ reached }) => BigInt(reached) >= BigInt(head));
    return isCaughtUp && isQuiet(ready) && head;
  };
  return waitUntil(look, 'everything that follows the log has caught up', timeoutMs);
}

/** Position of the last event on the log, once nothing goes on that could write another one. */
export async function head(server: TestServer, timeoutMs?: number): Promise<string> {
  return caughtUp(server, ({ runs }) => runs.active === 0 && runs.waiting === 0, timeoutMs);
}

export function expectStatus<Body>(answer: Answer<Body>, status: number): Body {
  if (answer.status !== status) {
    throw new Error(`expected ${status}, got ${answer.status}: ${answer.bytes.toString('utf8')}`);
  }
  return answer.body;
}

/** Checks that the answer is a whole problem document, and answers it. */
export function expectProblem(answer: Answer<unknown>, status: number, code: string): Problem {
  const problem = answer.body as Problem;
  expect({ status: answer.status, code: problem?.code, body: answer.body }).toMatchObject({ status, code });
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
  expect(problem).toEqual({
    type: expect.stringMatching(/./),
    title: expect.stringMatching(/./),
    status,
    detail: expect.stringMatching(/./),
    code,
    details: expect.any(Object),
  });
  return problem;
}

/** Checks that the request is refused for this field, named by its path. */
export function expectBadField(answer: Answer<unknown>, field: string): void {
  const { details } = expectProblem(answer, 400, 'bad_request');
  expect(details.field).toBe(field);
}
