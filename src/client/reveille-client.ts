import { bodyBytes, jsonLines } from './body';
import type { Call, ConnectionOptions } from './connection';
import { Connection, path } from './connection';
import { followFeed, followRun } from './follow';
import { followRunEvents, followRunLog, logBytes } from './run-output';
import type {
  AgentChangeView,
  AgentPatch,
  AgentRequest,
  AgentStatus,
  AgentView,
  BudgetRequest,
  BudgetView,
  AsOfAnswer,
  CompanyPatch,
  CompanyRequest,
  CompanyView,
  ConsumerAnswer,
  ConsumersAnswer,
  CostsQuery,
  CostsView,
  FollowQuery,
  Grouping,
  JobAnswer,
  KeysAnswer,
  LiveMessage,
  LogAnswer,
  LogPlace,
  NewTokenView,
  Page,
  PageQuery,
  PriceTableRequest,
  PriceTableView,
  ReadyView,
  RebuildRequest,
  Reaped,
  ReportedView,
  RunEventView,
  RunNoteRequest,
  RunStatus,
  RunUsageRequest,
  RunView,
  RunWithExcerptsView,
  RuntimeStateView,
  SecretView,
  StatusChange,
  Ticked,
  VerificationStep,
  TokenRequest,
  TokenView,
  WakeAnswer,
  WakeRequest,
  WakeupView,
  WhyAnswer,
} from './types';
import type { Waiting } from './until';
import { followJob, untilRun, untilSettled } from './until';

/**
 * The HTTP API of a Reveille server. Every call @throws ReveilleError. What may be repeated without harm is tried
 * again while the server cannot be reached or says 503, for at most `patienceMs`.
 */
export class ReveilleClient {
  private readonly connection: Connection;

  constructor(options: ConnectionOptions) {
    this.connection = new Connection(options);
  }

  registerCompany(company: CompanyRequest): Promise<CompanyView> {
    // Without a name of the caller's own, doing it twice makes two.
    return this.post('/v1/companies', { body: company, isRepeatable: isNamed(company) });
  }

  company(companyId: string): Promise<CompanyView> {
    return this.connection.json(path`/v1/companies/${companyId}`);
  }

  /** @param patch a JSON merge patch */
  patchCompany(companyId: string, patch: CompanyPatch): Promise<CompanyView> {
    return this.connection.merge(path`/v1/companies/${companyId}`, patch);
  }

  changeCompanyStatus(companyId: string, change: 'pause' | 'resume'): Promise<CompanyView> {
    return this.post(path`/v1/companies/${companyId}/${change}`);
  }

  registerAgent(companyId: string, agent: AgentRequest): Promise<AgentView> {
    const address = path`/v1/companies/${companyId}/agents`;
    return this.post(address, { body: agent, isRepeatable: isNamed(agent) });
  }

  agents(companyId: string, query: PageQuery & { status?: AgentStatus } = {}): Promise<Page<AgentView>> {
    return this.connection.json(path`/v1/companies/${companyId}/agents`, { query: { ...query } });
  }

  agent(agentId: string): Promise<AgentView> {
    return this.connection.json(path`/v1/agents/${agentId}`);
  }

  /**
   * @param patch a JSON merge patch
   * @param version of the agent that it is meant for; another one is refused with `version_conflict`
   */
  patchAgent(agentId: string, patch: AgentPatch, version?: number): Promise<AgentView> {
    return this.connection.merge(path`/v1/agents/${agentId}`, patch, version);
  }

  changeAgentStatus(agentId: string, change: StatusChange): Promise<AgentChangeView> {
    return this.post(path`/v1/agents/${agentId}/${change}`);
  }

  runtimeState(agentId: string, query: { taskKey?: string } = {}): Promise<RuntimeStateView> {
    return this.connection.json(path`/v1/agents/${agentId}/runtime-state`, { query });
  }

  resetSession(agentId: string, body: { taskKey?: string } = {}): Promise<RuntimeStateView> {
    return this.post(path`/v1/agents/${agentId}/runtime-state/reset-session`, { body });
  }

  /**
   * Wakes an agent. A request without an idempotency key is given one, so that trying again cannot wake it twice.
   *
   * @param invoke as if by hand: `triggerDetail` is `manual` where nothing else is said
   */
  wake(agentId: string, request: WakeRequest = {}, { invoke = false } = {}): Promise<WakeAnswer> {
    const idempotencyKey = request.idempotencyKey ?? crypto.randomUUID();
    return this.post(path`/v1/agents/${agentId}/${invoke ? 'invoke' : 'wakeups'}`, {
      body: { ...request, idempotencyKey },
    });
  }

  wakeup(wakeupId: string): Promise<WakeupView> {
    return this.connection.json(path`/v1/wakeups/${wakeupId}`);
  }

  wakeups(agentId: string, query: PageQuery & { runId?: string } = {}): Promise<Page<WakeupView>> {
    return this.connection.json(path`/v1/agents/${agentId}/wakeups`, { query: { ...query } });
  }

  cancelWakeup(wakeupId: string): Promise<WakeupView> {
    return this.post(path`/v1/wakeups/${wakeupId}/cancel`);
  }

  /** Waits until a wakeup has a run, or will never have one. */
  untilRun(wakeupId: string, waiting: Waiting = {}): Promise<WakeupView> {
    return untilRun(this, wakeupId, waiting);
  }

  /** Waits until nothing more becomes of a wakeup: it is settled, and so is the run that it went into. */
  untilSettled(wakeupId: string, waiting: Waiting = {}): Promise<WakeupView> {
    return untilSettled(this, wakeupId, waiting);
  }

  runs(
    companyId: string,
    query: PageQuery & { agentId?: string; status?: RunStatus } = {},
  ): Promise<Page<RunView>> {
    return this.connection.json(path`/v1/companies/${companyId}/runs`, { query: { ...query } });
  }

  run(runId: string): Promise<RunWithExcerptsView> {
    return this.connection.json(path`/v1/runs/${runId}`);
  }

  activeRun(agentId: string): Promise<RunView | null> {
    return this.connection.json(path`/v1/agents/${agentId}/active-run`);
  }

  cancelRun(runId: string): Promise<RunView> {
    return this.post(path`/v1/runs/${runId}/cancel`);
  }

  runEvents(runId: string, query: { afterSeq?: number; limit?: number } = {}): Promise<Page<RunEventView>> {
    return this.connection.json(path`/v1/runs/${runId}/events`, { query });
  }

  logPage(runId: string, query: LogPlace & { limitBytes?: number }): Promise<LogAnswer> {
    return this.connection.json(path`/v1/runs/${runId}/log`, { query: { ...query } });
  }

  /** The bytes as the agent wrote them, from an offset to what is recorded when the server gets the request. */
  log(runId: string, place: LogPlace = { offset: 0 }, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    return logBytes(this.connection, runId, place, signal);
  }

  /** The same, going on until the run has written all: every byte once, whatever is cut meanwhile. */
  followLog(
    runId: string,
    place: LogPlace = { offset: 0 },
    waiting: Waiting = {},
  ): AsyncGenerator<Uint8Array> {
    return followRunLog(this, runId, place, waiting);
  }

  /** A run's events after `afterSeq`, each once, until the run is over. */
  followRunEvents(runId: string, afterSeq = 0, waiting: Waiting = {}): AsyncGenerator<RunEventView> {
    return followRunEvents(this, runId, afterSeq, waiting);
  }

  /**
   * What happens in a run, from its beginning or behind `after`, until it is over: each message once, in order,
   * whatever is cut meanwhile. Where the log goes faster than it is read, there is a `log.gap` to be fetched.
   *
   * @param options with `logs` also what it writes
   */
  follow(
    runId: string,
    options: { after?: string; logs?: boolean; signal?: AbortSignal } = {},
  ): AsyncGenerator<LiveMessage> {
    return followRun(this, this.connection, runId, options);
  }

  /** What happens in a company, until the signal aborts: each message once, in order, whatever is cut meanwhile. */
  followCompany(companyId: string, query: FollowQuery = {}): AsyncGenerator<LiveMessage> {
    return followFeed(this, this.connection, companyId, query);
  }

  /** A page of the same, of what has happened so far. `position`: everything up to it has been looked through. */
  liveMessages(
    companyId: string,
    { signal, ...query }: FollowQuery & { limit?: number } = {},
  ): Promise<Page<LiveMessage> & { position: string }> {
    return this.connection.json(path`/v1/companies/${companyId}/events`, { query, signal });
  }

  /** @param query dates, or times with their zone: `from` inclusive, `to` exclusive */
  costs(companyId: string, query: CostsQuery = {}): Promise<CostsView> {
    return this.connection.json(path`/v1/companies/${companyId}/costs`, { query });
  }

  prices(companyId: string): Promise<PriceTableView> {
    return this.connection.json(path`/v1/companies/${companyId}/prices`);
  }

  putPrices(companyId: string, body: PriceTableRequest): Promise<PriceTableView> {
    return this.connection.json(path`/v1/companies/${companyId}/prices`, { method: 'PUT', body });
  }

  companyBudget(companyId: string): Promise<BudgetView> {
    return this.connection.json(path`/v1/companies/${companyId}/budget`);
  }

  /** The whole budget: a limit that is left out is none. */
  putCompanyBudget(companyId: string, body: BudgetRequest): Promise<BudgetView> {
    return this.connection.json(path`/v1/companies/${companyId}/budget`, { method: 'PUT', body });
  }

  agentBudget(agentId: string): Promise<BudgetView> {
    return this.connection.json(path`/v1/agents/${agentId}/budget`);
  }

  putAgentBudget(agentId: string, body: BudgetRequest): Promise<BudgetView> {
    return this.connection.json(path`/v1/agents/${agentId}/budget`, { method: 'PUT', body });
  }

  putSecret(companyId: string, name: string, value: string): Promise<SecretView> {
    const address = path`/v1/companies/${companyId}/secrets/${name}`;
    return this.connection.json(address, { method: 'PUT', body: { value } });
  }

  secrets(companyId: string, query: PageQuery = {}): Promise<Page<SecretView>> {
    return this.connection.json(path`/v1/companies/${companyId}/secrets`, { query: { ...query } });
  }

  /** The answer is the only one that ever has the token itself. */
  createToken(companyId: string, token: TokenRequest): Promise<NewTokenView> {
    return this.post(path`/v1/companies/${companyId}/tokens`, { body: token, isRepeatable: false });
  }

  tokens(companyId: string, query: PageQuery = {}): Promise<Page<TokenView>> {
    return this.connection.json(path`/v1/companies/${companyId}/tokens`, { query: { ...query } });
  }

  revokeToken(companyId: string, tokenId: string): Promise<TokenView> {
    return this.connection.json(path`/v1/companies/${companyId}/tokens/${tokenId}`, { method: 'DELETE' });
  }

  /** For agents: a note on a run that is going on, with its `REVEILLE_API_KEY` as the token. */
  addRunEvent(runId: string, note: RunNoteRequest): Promise<ReportedView> {
    return this.report(path`/v1/runs/${runId}/events`, note);
  }

  /** The same, about what it has used since the last time. */
  bookRunUsage(runId: string, usage: RunUsageRequest): Promise<ReportedView> {
    return this.report(path`/v1/runs/${runId}/usage`, usage);
  }

  /** Looks at what is due, now. @param body `now` sets the clock of a server that was started with `--test-clock` */
  tick(body: { now?: string } = {}): Promise<Ticked> {
    return this.post('/v1/admin/tick', { body });
  }

  reap(body: { staleThresholdMs?: number } = {}): Promise<Reaped> {
    return this.post('/v1/admin/reap', { body });
  }

  /** The public key that checkpoints are signed with. */
  auditKey(): Promise<KeysAnswer> {
    return this.connection.json('/v1/audit/key');
  }

  /** Covers everything that is on the log by a signed checkpoint. */
  signCheckpoint(): Promise<{ number: number; sha256: string }> {
    return this.post('/v1/audit/checkpoints');
  }

  /**
   * Whether the log is what was written: what is found and how far it is, and at the end the result.
   *
   * @param query `after`: the position at which an earlier one was stopped
   */
  verifyLog(
    query: { stream?: string; companyId?: string; after?: string } = {},
    signal?: AbortSignal,
  ): AsyncGenerator<VerificationStep> {
    return jsonLines(this.connection, '/v1/audit/verify', { query, signal });
  }

  /**
   * Everything that the log holds of a company, as NDJSON for others to verify.
   *
   * @param query `after`: the position of the last line of an export that was broken off
   */
  exportCompany(
    query: { companyId: string; after?: string },
    signal?: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    return bodyBytes(this.connection, '/v1/audit/export', { query, signal });
  }

  /** An agent, a run, or the spend of a company as of a position or a time: one of each is named. */
  asOf(query: {
    agentId?: string;
    runId?: string;
    companyId?: string;
    groupBy?: Grouping;
    position?: string;
    at?: string;
  }): Promise<AsOfAnswer> {
    return this.connection.json('/v1/audit/as-of', { query });
  }

  /** What led to a run or a wakeup, what was decided, and what came of it. */
  why(query: { runId?: string; wakeupId?: string }): Promise<WhyAnswer> {
    return this.connection.json('/v1/audit/why', { query });
  }

  /** All about one run, as NDJSON. */
  bundle(runId: string, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    return bodyBytes(this.connection, path`/v1/audit/runs/${runId}/bundle`, { signal });
  }

  /** How far projections and sagas have come. */
  projections(): Promise<ConsumersAnswer> {
    return this.connection.json('/v1/admin/projections');
  }

  /** @param body of a rebuild: with `swap: false` what it makes waits until it is swapped in */
  startProjectionJob(kind: JobAnswer['kind'], projection: string, body?: RebuildRequest): Promise<JobAnswer> {
    return this.post(path`/v1/admin/projections/${projection}/${kind}`, body && { body });
  }

  /** Lets one that has stopped try again. */
  retryProjection(name: string): Promise<ConsumerAnswer> {
    return this.post(path`/v1/admin/projections/${name}/retry`);
  }

  projectionJob(jobId: string): Promise<JobAnswer> {
    return this.connection.json(path`/v1/admin/jobs/${jobId}`);
  }

  cancelProjectionJob(jobId: string): Promise<JobAnswer> {
    return this.post(path`/v1/admin/jobs/${jobId}/cancel`);
  }

  /** How a job goes on, again and again until it is over. */
  followProjectionJob(jobId: string, waiting: Waiting = {}): AsyncGenerator<JobAnswer> {
    return followJob(this, jobId, waiting);
  }

  /** How the node and its parts are: also where something is ill. */
  ready(): Promise<ReadyView> {
    return this.connection.json('/health/ready', { accepts: 503 });
  }

  /** With a key of its own, so that trying again cannot book it twice. */
  private report(address: string, body: object): Promise<ReportedView> {
    return this.post(address, { body, headers: { 'Idempotency-Key': crypto.randomUUID() } });
  }

  private post<T>(address: string, call: Call = {}): Promise<T> {
    return this.connection.json(address, { ...call, method: 'POST' });
  }
}

/** Registered once more, it is the same thing. */
const isNamed = ({ externalKey }: { externalKey?: string | null | undefined }) =>
  (externalKey ?? null) !== null;
