import type { Logger } from 'pino';
import type { AgentAddress, AgentsStore } from '../agents/agents.store';
import type { DueTimer } from '../agents/domain/agent.commands';
import type { AgentEvent, WakeupRequest } from '../agents/domain/agent.events';
import type { AgentState } from '../agents/domain/agent.state';
import { policyOf } from '../agents/domain/agent.state';
import type { BudgetReview } from '../budgets/budget-review';
import { canonicalJson, sha256Hex } from '../kernel/canonical-json';
import type { Cause } from '../kernel/cause';
import type { Clock } from '../kernel/clock';
import type { Position, Recorded } from '../kernel/event';
import { uuidv7 } from '../kernel/ids';
import type { Processing } from '../processing/processing';
import type { ReadModels } from '../processing/read-models';
import type { AlarmDocument } from './projections/alarms.projection';
import { alarmsProjection } from './projections/alarms.projection';
import { scheduleSaga } from './sagas/schedule.saga';
import { firstDue, hasMissed, nextDue } from './schedule';

const LOOK_EVERY_MS = 500;
const PAGE = 200;

export interface Ticked {
  /** Timers that were due. */
  checked: number;
  /** Their wakeups that were queued, coalesced or deferred. */
  enqueued: number;
  skipped: number;
}

/**
 * Lets the agents know what has come due. Looks at the earliest alarms only, so what is not due costs nothing; what
 * to do is the agent's decision, and a second clock on another node does no harm.
 */
export class AlarmClock {
  private readonly cause: Cause = { actor: { type: 'system', id: 'heartbeat_scheduler' } };
  private timer: NodeJS.Timeout | undefined;
  private ticking: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly deps: {
      agents: AgentsStore;
      processing: Processing;
      readModels: ReadModels;
      clock: Clock;
      logger: Logger;
      budgets: Pick<BudgetReview, 'reviewCompany'>;
    },
  ) {}

  start(): void {
    const look = async () => {
      await this.tick().catch((err: unknown) => this.deps.logger.error({ err }, 'a tick has failed'));
      if (this.timer) this.timer = setTimeout(() => void look(), LOOK_EVERY_MS);
    };
    this.timer = setTimeout(() => void look(), LOOK_EVERY_MS);
  }

  async stop(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    await this.ticking;
  }

  /** Sets an agent's timer after its policy has been set; for the schedule saga. */
  async setTimer(address: AgentAddress, event: Recorded): Promise<void> {
    const { agents, clock } = this.deps;
    const current = await agents.inspect(address, (state) =>
      state.status === 'unregistered'
        ? null
        : { policy: structuredClone(policyOf(state)), version: state.version, due: state.nextDue },
    );
    if (!current) return;
    const { policy, version } = current;
    const due = firstDue(policy, clock.now(), current.due, Math.random());
    await agents.execute(
      address,
      { type: 'ScheduleTimer', version, due },
      { ...this.cause, event },
      () => undefined,
    );
  }

  /**
   * One tick after the other. A tick by hand first waits for the timers of the agents that are there.
   *
   * @param correlationId of the request for it
   */
  tickTimers(correlationId?: string): Promise<Ticked> {
    return this.inTurn(async () => {
      await this.deps.processing.waitForHead([scheduleSaga.name]);
      await this.deps.processing.waitForHead([alarmsProjection.name]);
      return this.handleDue({ ...this.cause, correlationId });
    });
  }

  private tick(): Promise<Ticked> {
    return this.inTurn(() => this.handleDue(this.cause));
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.ticking.then(work);
    this.ticking = done.catch(() => undefined);
    return done;
  }

  private async handleDue(cause: Cause): Promise<Ticked> {
    const now = this.deps.clock.now();
    const total: Ticked = { checked: 0, enqueued: 0, skipped: 0 };
    for (;;) {
      const due = await this.dueAlarms(now);
      const results = await Promise.all(due.map((whose) => this.handle(whose, now, cause)));
      for (const { checked, enqueued, skipped } of results) {
        total.checked += checked;
        total.enqueued += enqueued;
        total.skipped += skipped;
      }
      const positions = results.flatMap(({ position }) => position ?? []);
      if (positions.length === 0) return total;
      const last = positions.reduce((a, b) => (a > b ? a : b));
      await this.deps.processing.waitFor(last, [alarmsProjection.name]);
    }
  }

  /** Mostly nothing is due, and the earliest alarm tells. */
  private async dueAlarms(now: Date): Promise<AlarmDocument[]> {
    const isDue = ({ dueAt }: AlarmDocument) => Date.parse(dueAt) <= now.getTime();
    const [earliest] = await this.earliest(1);
    if (!earliest || !isDue(earliest)) return [];
    const due = (await this.earliest(PAGE)).filter(isDue);
    return [
      ...new Map(due.map((alarm: AlarmDocument) => [alarm.agentId ?? alarm.companyId, alarm])).values(),
    ];
  }

  private async earliest(limit: number): Promise<AlarmDocument[]> {
    const query = { where: {}, orderBy: 'dueAt', direction: 'asc', limit } as const;
    return (await this.deps.readModels.query(alarmsProjection, query)).items;
  }

  /** One agent that cannot be looked after never stops the others. */
  private async handle({ companyId, agentId }: AlarmDocument, now: Date, cause: Cause): Promise<Handled> {
    const nothing = { checked: 0, enqueued: 0, skipped: 0 };
    try {
      return agentId === null
        ? { ...nothing, position: await this.deps.budgets.reviewCompany(companyId, now) }
        : await this.handleAgent({ companyId, agentId }, now, cause);
    } catch (err) {
      this.deps.logger.error({ err, companyId, agentId }, 'nobody could be told what is due');
      return { ...nothing, position: null };
    }
  }

  private async handleAgent(address: AgentAddress, now: Date, cause: Cause): Promise<Handled> {
    const { agents } = this.deps;
    const timer = await agents.inspect(address, (state) => dueTimer(state, now));
    const { events, position } = await agents.execute(
      address,
      { type: 'HandleDue', timer },
      cause,
      () => undefined,
      now,
    );
    const isHeld = events.some(
      ({ event }) => event.type === 'WakeupDeferred' && event.data.reason === 'agent.held',
    );
    // A company that was resumed meanwhile has had its agents look already.
    if (isHeld) await agents.execute(address, { type: 'ReleaseDeferredWakeups' }, cause, () => undefined);
    return { ...countOf(events, timer), position };
  }
}

/** `position`: of what was decided; null: nothing. */
type Handled = Ticked & { position: Position | null };

function dueTimer(state: AgentState, now: Date): DueTimer | null {
  if (state.status === 'unregistered' || !state.nextDue || Date.parse(state.nextDue.at) > now.getTime())
    return null;
  const policy = policyOf(state);
  const request = timerRequest(now);
  return {
    wakeupId: uuidv7(),
    runId: uuidv7(),
    request,
    requestHash: sha256Hex(canonicalJson(request)),
    next: nextDue(policy, state.nextDue, now, Math.random()),
    missed: hasMissed(policy, state.nextDue, now),
  };
}

function timerRequest(now: Date): WakeupRequest {
  return {
    source: 'timer',
    triggerDetail: 'system',
    reason: 'heartbeat_timer',
    payload: null,
    contextSnapshot: { source: 'scheduler', reason: 'interval_elapsed', now: now.toISOString() },
    idempotencyKey: null,
    requestedByActorType: 'system',
    requestedByActorId: 'heartbeat_scheduler',
    notBefore: null,
    priority: 0,
    coalesceKey: null,
    taskKey: null,
  };
}

function countOf(events: readonly Recorded<AgentEvent>[], timer: DueTimer | null): Ticked {
  const decided = events.some(
    ({ event }) => event.type === 'WakeupRequested' && event.data.wakeupId === timer?.wakeupId,
  );
  if (!decided) return { checked: 0, enqueued: 0, skipped: 0 };
  const skipped = events.some(
    ({ event }) => event.type === 'WakeupSkipped' && event.data.wakeupId === timer?.wakeupId,
  );
  return { checked: 1, enqueued: skipped ? 0 : 1, skipped: skipped ? 1 : 0 };
}
