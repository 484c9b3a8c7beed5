import { setTimeout as sleep } from 'node:timers/promises';
import type { Agent, Wakeup, Woken } from '../e2e/http/client';
import type { Dice } from '../support/dice';
import type { AgentPlan } from './plan';
import type { Answer, KillableServer } from './killable-server';
import { Unanswered } from './killable-server';
import type { Verdicts } from './verdicts';

/** What a client of a busy service has to expect. 503: the log or a read model is not there yet. */
const EXPECTED_STATUS = [200, 202, 409, 429, 503];
/** With so many runs waiting, a caller with manners wakes nobody whose wakeups are never merged. */
const MANY_WAITING = 30;
const PAUSE_AFTER_FAILURE_MS = 100;
const FINAL_AT_ONCE = ['coalesced', 'skipped'];

export interface LoadedAgent {
  id: string;
  plan: AgentPlan;
}

export interface Receipt {
  wakeupId: string;
  agentId: string;
  idempotencyKey: string | null;
  runId: string | null;
  position: string;
  /** The final status that the service has said it has; null: it was open. */
  finalStatus: string | null;
}

interface Request {
  agent: LoadedAgent;
  body: Record<string, unknown>;
  idempotencyKey: string | null;
}

/** Several callers, who wake, repeat, cancel, pause and resume, and keep every receipt. */
export class Load {
  readonly receipts = new Map<string, Receipt>();
  readonly counts = { asked: 0, unanswered: 0, refused: 0, repeated: 0 };
  /** Failures that no dead server explains. */
  private readonly faults: string[] = [];
  private readonly repeatable: { request: Request; receipt: Receipt }[] = [];
  /** One caller at a time pauses an agent, so that nobody else can have resumed it. */
  private readonly pausing = new Set<string>();
  private isOver = false;
  private callers: Promise<void>[] = [];
  private waitingRuns = 0;

  constructor(
    private readonly server: KillableServer,
    private readonly agents: readonly LoadedAgent[],
    private readonly verdicts: Verdicts,
  ) {}

  start(callers: number, dice: Dice): void {
    this.callers = Array.from({ length: callers }, () => this.call(dice.fork()));
    this.callers.push(this.watchQueue());
  }

  async stop(): Promise<void> {
    this.isOver = true;
    await Promise.all(this.callers);
    this.verdicts.judge('requests fail only because there is no server', this.faults[0] ?? null);
  }

  private async call(dice: Dice): Promise<void> {
    while (!this.isOver) {
      try {
        await this.act(dice);
      } catch (error) {
        await this.takeFailure(error);
      }
      await sleep(dice.upTo(60));
    }
  }

  private async act(dice: Dice): Promise<void> {
    const agent = dice.weighted(
      this.agents.map((candidate) => ({ ...candidate, weight: candidate.plan.weight })),
    );
    const kind = dice.upTo(100);
    if (kind < 4) return this.pauseAndResume(agent, dice);
    if (kind < 9) return this.cancelWakeup(dice);
    if (kind < 12) return this.cancelRun(dice);
    if (kind < 20 && this.repeatable.length > 0) return this.repeat(dice);
    const isPatient = this.waitingRuns < MANY_WAITING || agent.plan.policy.whenBusy !== 'enqueue';
    if (isPatient) await this.wake(this.newRequest(agent, dice));
  }

  private newRequest(agent: LoadedAgent, dice: Dice): Request {
    const coalesceKey = agent.plan.hasKeys ? dice.oneOf([null, 'a', 'b', 'c']) : null;
    const notBefore = dice.upTo(8) === 0 ? new Date(Date.now() + dice.upTo(2_000)).toISOString() : null;
    const body = {
      source: dice.oneOf(['on_demand', 'assignment', 'automation']),
      payload: { throw: dice.upTo(1_000_000) },
      contextSnapshot: { coalesceKey },
      priority: dice.upTo(5),
      ...{ coalesceKey, notBefore },
    };
    const idempotencyKey = dice.upTo(3) === 0 ? `${agent.plan.name} ${dice.upTo(2 ** 32)}` : null;
    return { agent, body, idempotencyKey };
  }

  /** Whoever gave a key asks again until there is an answer, as clients do. */
  private async wake(request: Request): Promise<void> {
    for (;;) {
      try {
        const receipt = this.keep(request, await this.send(request));
        if (receipt && request.idempotencyKey !== null) this.repeatable.push({ request, receipt });
        return;
      } catch (error) {
        if (request.idempotencyKey === null || this.isOver) throw error;
        await this.takeFailure(error);
      }
    }
  }

  private send({ agent, body, idempotencyKey }: Request): Promise<Answer<Woken>> {
    this.counts.asked += 1;
    return this.server.api('POST', `/v1/agents/${agent.id}/wakeups`, { ...body, idempotencyKey });
  }

  private keep({ agent, idempotencyKey }: Request, answer: Answer<Woken>): Receipt | null {
    if (!this.isExpected(answer)) return null;
    const { wakeup, run, position } = answer.body;
    const receipt = {
      ...{ wakeupId: wakeup.id, agentId: agent.id, idempotencyKey, position, runId: run?.id ?? null },
      finalStatus: FINAL_AT_ONCE.includes(wakeup.status) ? wakeup.status : null,
    };
    this.receipts.set(wakeup.id, receipt);
    return receipt;
  }

  private async repeat(dice: Dice): Promise<void> {
    const { request, receipt } = dice.oneOf(this.repeatable);
    const { status, body, bytes } = await this.send(request);
    if (status === 503) return;
    this.counts.repeated += 1;
    const name = 'a request that is repeated with its key is answered with the same ids';
    if (status !== 202) {
      return this.verdicts.judge(name, `${receipt.wakeupId}: ${status} ${bytes.toString()}`);
    }
    const { wakeup, run, position } = body;
    // A receipt on a running run may come to stand for the follow-up instead, and a retry is a run of its own.
    const { whenBusy, retry } = request.agent.plan.policy;
    const mayChangeRun = receipt.runId === null || whenBusy === 'coalesce' || retry !== undefined;
    const isSame =
      wakeup.id === receipt.wakeupId &&
      position === receipt.position &&
      (mayChangeRun || run?.id === receipt.runId);
    this.verdicts.expect(name, isSame, `${JSON.stringify(receipt)} became ${bytes.toString()}`);
  }

  private async cancelWakeup(dice: Dice): Promise<void> {
    const receipt = this.anyReceipt(dice);
    if (!receipt) return;
    const answer = await this.server.api<Wakeup>('POST', `/v1/wakeups/${receipt.wakeupId}/cancel`);
    if (this.isExpected(answer) && answer.body.status === 'cancelled') receipt.finalStatus = 'cancelled';
  }

  private async cancelRun(dice: Dice): Promise<void> {
    const { runId } = this.anyReceipt(dice) ?? {};
    if (runId) this.isExpected(await this.server.api('POST', `/v1/runs/${runId}/cancel`));
  }

  /** An acknowledged pause holds, whatever becomes of the server. */
  private async pauseAndResume({ id }: LoadedAgent, dice: Dice): Promise<void> {
    if (this.pausing.has(id)) return;
    this.pausing.add(id);
    const path = `/v1/agents/${id}`;
    try {
      if (!this.isExpected(await this.server.api('POST', `${path}/pause`))) return;
      await sleep(dice.upTo(500));
      const { status, body } = await this.untilAnswered(() => this.server.api<Agent>('GET', path));
      if (status === 200) {
        const problem = `agent ${id} was paused and is ${body.status}`;
        this.verdicts.expect('a paused agent stays paused', body.status === 'paused', problem);
      }
    } finally {
      await this.untilAnswered(() => this.server.api('POST', `${path}/resume`));
      this.pausing.delete(id);
    }
  }

  private async untilAnswered<Body>(ask: () => Promise<Answer<Body>>): Promise<Answer<Body>> {
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        if (this.isOver) throw error;
        await this.takeFailure(error);
      }
    }
  }

  private async takeFailure(error: unknown): Promise<void> {
    this.counts.unanswered += 1;
    if (!(error instanceof Unanswered)) this.faults.push(String((error as Error).stack));
    await sleep(PAUSE_AFTER_FAILURE_MS);
  }

  private isExpected({ status, contentType, bytes }: Answer<unknown>): boolean {
    const isProblem = contentType.startsWith('application/problem+json');
    this.verdicts.expect(
      'every answer is one that a client has to expect',
      EXPECTED_STATUS.includes(status) && isProblem === status >= 400,
      `${status} ${bytes.toString()}`,
    );
    if (status >= 400) this.counts.refused += 1;
    return status < 400;
  }

  private anyReceipt(dice: Dice): Receipt | undefined {
    // One of the newest: older ones are over.
    const newest = [...this.receipts.values()].slice(-20);
    return newest.length === 0 ? undefined : dice.oneOf(newest);
  }

  private async watchQueue(): Promise<void> {
    while (!this.isOver) {
      const ready = await this.server
        .api<{ runs: { waiting: number } }>('GET', '/health/ready')
        .catch(() => null);
      if (ready) this.waitingRuns = ready.body.runs.waiting;
      await sleep(200);
    }
  }
}
