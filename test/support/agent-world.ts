import fc from 'fast-check';
import type { AgentCommand, CompanyStanding } from '../../src/agents/domain/agent.commands';
import { agentDecider } from '../../src/agents/domain/agent.decider';
import type { AgentEvent, EndCause, WakeupSource } from '../../src/agents/domain/agent.events';
import { endCauses } from '../../src/agents/domain/agent.events';
import type { AgentState, RegisteredAgent } from '../../src/agents/domain/agent.state';
import type { HeartbeatPolicy } from '../../src/agents/domain/policy';
import { policyOf } from '../../src/agents/domain/agent.state';
import type { Budget } from '../../src/budgets/domain/budget';
import type { Spending } from '../../src/budgets/domain/spending';
import { monthOf, noSpending, spendingIn, withEntry, withStart } from '../../src/budgets/domain/spending';
import { deferredReleaseSaga } from '../../src/agents/sagas/deferred-release.saga';
import { firstDue, hasMissed, nextDue } from '../../src/timers/schedule';
import { DomainError } from '../../src/kernel/errors';
import type { Recorded } from '../../src/kernel/event';
import { COMPANY, NOW, configuration, report, request, settlement, timer } from './agent-history';
import { decideCarefully } from './given';
import { recordAll } from './projected';

/** What may happen to an agent. Runs and wakeups are named by how many came after them: 0 is the newest. */
export type Step = { agent: number } & (
  | {
      kind: 'wake';
      source: WakeupSource;
      isManual: boolean;
      coalesceKey: string | null;
      taskKey: string | null;
      key: number | null;
      variant: number;
      notBeforeHours: number;
    }
  | { kind: 'update'; policy: Partial<HeartbeatPolicy>; stale: boolean }
  | { kind: 'approve' | 'pause' | 'resume' | 'terminate' | 'releaseByChance' | 'runSaga' }
  | { kind: 'handleDue' | 'pauseCompany' | 'resumeCompany' | 'review' }
  | { kind: 'stopCompany'; isOver: boolean }
  | { kind: 'budget'; budget: Budget | null }
  | { kind: 'spend'; micros: number }
  | { kind: 'reset'; taskKey: string | null }
  | { kind: 'schedule'; stale: boolean }
  | { kind: 'cancelWakeup'; run: number }
  | { kind: 'start'; run: number; claimId: number }
  | { kind: 'cancel'; run: number }
  | { kind: 'requestEnd'; run: number; cause: EndCause }
  | {
      kind: 'finish';
      run: number;
      claim: 'right' | 'wrong';
      exitCode: number;
      say: SaidOfSession;
      exitedHoursAgo: number;
      quotaHours: number;
    }
  | { kind: 'killFailed'; run: number }
  | { kind: 'passTime'; hours: number }
);

type SaidOfSession = 'new' | 'clear' | 'nothing';

interface Ending {
  claim: 'right' | 'wrong';
  exitCode: number;
  say: SaidOfSession;
  exitedHoursAgo: number;
  /** So long it can't work after this, as it says; 0: it says nothing. */
  quotaHours: number;
}

const HOUR_MS = 3_600_000;
const endsWell: Ending = { claim: 'right', exitCode: 0, say: 'nothing', exitedHoursAgo: 0, quotaHours: 0 };

const agents = 2;
const someRun = fc.nat(6);

const policy: fc.Arbitrary<Partial<HeartbeatPolicy>> = fc.record({
  maxConcurrentRuns: fc.integer({ min: 1, max: 3 }),
  whenBusy: fc.constantFrom('followUp', 'followUp', 'coalesce', 'enqueue', 'interrupt', 'reject', 'reject'),
  enabled: fc.boolean(),
  wakeOnDemand: fc.constantFrom(true, true, true, false),
  maxDailyRuns: fc.constantFrom(null, null, 1, 3, 6),
  retry: fc.constantFrom(null, { maxAttempts: 2, backoffSec: 0 }, { maxAttempts: 3, backoffSec: 3_600 }),
  circuitBreaker: fc.constantFrom(null, null, { failures: 1, coolDownSec: 7_200 }),
  intervalSec: fc.constantFrom(0, 3_600),
  catchUp: fc.constantFrom('once', 'skip'),
});
const someTask = fc.constantFrom(null, null, 't', 'u');

const someLimit = (...limits: number[]) => fc.constantFrom(null, ...limits);
const someBudget: fc.Arbitrary<Budget> = fc.record({
  monthlyMicros: someLimit(10, 20),
  monthlyTokens: someLimit(1_000),
  monthlyRuns: someLimit(1, 2, 5),
  warnAt: fc.constantFrom(0.5, 0.8),
});

const steps = {
  wake: fc.record({
    source: fc.constantFrom<WakeupSource>('timer', 'assignment', 'on_demand', 'on_demand', 'automation'),
    coalesceKey: fc.constantFrom(null, null, 'a', 'b'),
    isManual: fc.boolean(),
    taskKey: someTask,
    notBeforeHours: fc.constantFrom(0, 0, 0, 0, -1, 1, 20),
    key: fc.option(fc.nat(3)),
    variant: fc.constantFrom(0, 0, 0, 1),
  }),
  update: fc.record({ policy, stale: fc.constantFrom(false, false, false, true) }),
  approve: fc.constant({}),
  pause: fc.constant({}),
  resume: fc.constant({}),
  terminate: fc.constant({}),
  reset: fc.record({ taskKey: someTask }),
  handleDue: fc.constant({}),
  schedule: fc.record({ stale: fc.constantFrom(false, false, true) }),
  cancelWakeup: fc.record({ run: someRun }),
  pauseCompany: fc.constant({}),
  resumeCompany: fc.constant({}),
  releaseByChance: fc.constant({}),
  runSaga: fc.constant({}),
  start: fc.record({ run: someRun, claimId: fc.nat(1) }),
  cancel: fc.record({ run: someRun }),
  requestEnd: fc.record({ run: someRun, cause: fc.constantFrom(...(Object.keys(endCauses) as EndCause[])) }),
  finish: fc.record({
    run: someRun,
    claim: fc.constantFrom('right', 'right', 'right', 'wrong'),
    exitCode: fc.constantFrom(0, 0, 1),
    exitedHoursAgo: fc.constantFrom(0, 0, 0.5),
    say: fc.constantFrom<SaidOfSession>('new', 'clear', 'nothing'),
    quotaHours: fc.constantFrom(0, 0, 0, 0, 0, 5),
  }),
  killFailed: fc.record({ run: someRun }),
  passTime: fc.record({ hours: fc.constantFrom(0.25, 1, 1, 12, 25, 200) }),
  budget: fc.record({ budget: fc.option(someBudget, { freq: 3 }) }),
  spend: fc.record({ micros: fc.constantFrom(1, 5, 10) }),
  review: fc.constant({}),
  stopCompany: fc.record({ isOver: fc.constantFrom(false, false, false, true) }),
} satisfies Record<Step['kind'], fc.Arbitrary<object>>;

const weights: Record<Step['kind'], number> = {
  ...{ wake: 30, update: 3, approve: 1, pause: 2, resume: 4, terminate: 0.3, reset: 2, releaseByChance: 2 },
  ...{ runSaga: 10, start: 20, cancel: 3, requestEnd: 3, finish: 20, killFailed: 0.5, passTime: 10 },
  ...{ budget: 1, spend: 5, review: 5, stopCompany: 0.7 },
  ...{ handleDue: 10, schedule: 3, cancelWakeup: 3, pauseCompany: 0.7, resumeCompany: 3 },
};

const someStep = fc.oneof(
  ...(Object.keys(steps) as Step['kind'][]).map((kind) => ({
    weight: weights[kind] * 10,
    arbitrary: fc
      .tuple(fc.nat(agents - 1), steps[kind] as fc.Arbitrary<object>)
      .map(([agent, parts]) => ({ kind, agent, ...parts }) as Step),
  })),
);

export interface Story {
  start: { policy: Partial<HeartbeatPolicy>; requiresApproval: boolean }[];
  steps: Step[];
}

/** Two agents and what happens to them. */
export const someStory: fc.Arbitrary<Story> = fc.record({
  start: fc.array(fc.record({ policy, requiresApproval: fc.constantFrom(false, false, false, true) }), {
    minLength: agents,
    maxLength: agents,
  }),
  steps: fc.array(someStep, { maxLength: 120, size: 'max' }),
});

interface Inhabitant {
  agentId: string;
  state: AgentState;
  /** Of all runs that there ever were. */
  runIds: string[];
  /** Of all wakeups that there ever were. */
  wakeupIds: string[];
  /** What the saga wants to do, and has not done yet. */
  pendingReleases: number;
  spent: Spending;
}

/** A few agents on one log, driven by steps. Commands that are refused leave nothing but a count. */
export class AgentWorld {
  readonly log: Recorded<AgentEvent>[] = [];
  readonly refusals: string[] = [];
  readonly inhabitants: readonly Inhabitant[];
  private nowMs = Date.parse(NOW);
  private counter = 0;
  private companyPaused = false;
  private companyOverBudget = false;

  /** @param observe is shown every event as it is appended */
  constructor(
    story: Story,
    private readonly observe: (recorded: Recorded<AgentEvent>) => void,
  ) {
    this.inhabitants = story.start.map((_start, index) => ({
      ...{ agentId: `agent-${index}`, state: agentDecider.initial(), runIds: [], wakeupIds: [] },
      ...{ pendingReleases: 0, spent: noSpending(monthOf(NOW)) },
    }));
    story.start.forEach(({ policy, requiresApproval }, index) => {
      const who = this.inhabitants[index]!;
      const ids = { companyId: COMPANY, agentId: who.agentId, externalKey: null, requiresApproval };
      const command = { type: 'RegisterAgent', at: this.now, ...ids } as const;
      this.execute(who, { ...command, configuration: configuration(policy) });
    });
    for (const step of story.steps) this.perform(step);
  }

  stateOf(agentId: string): RegisteredAgent {
    return this.inhabitants.find((who) => who.agentId === agentId)!.state as RegisteredAgent;
  }

  /**
   * Lets everything come to its end: agents are allowed to work, queued runs start and running ones finish, and time
   * goes by. Deferred wakeups are released only where the saga wants it, as in the server, and timers are left out.
   */
  settle(): void {
    this.perform({ kind: 'resumeCompany', agent: 0 });
    this.companyOverBudget = false;
    for (const [agent, who] of this.inhabitants.entries()) {
      this.perform({ kind: 'approve', agent });
      this.perform({ kind: 'resume', agent });
      this.perform({ kind: 'budget', agent, budget: null });
      for (let turn = 0; turn < 1_000 && this.isOpen(who); turn += 1) this.workOn(who);
      if (this.isOpen(who)) throw new Error(`${who.agentId} never comes to rest`);
    }
  }

  private isOpen({ state, pendingReleases }: Inhabitant): boolean {
    const { runs, wakeups } = state as RegisteredAgent;
    return pendingReleases > 0 || runs.size > 0 || wakeups.size > 0;
  }

  private workOn(who: Inhabitant): void {
    while (who.pendingReleases > 0) this.runSaga(who);
    const { runs } = who.state as RegisteredAgent;
    for (const { runId, status } of [...runs.values()]) {
      if (status === 'queued') this.start(who, runId, 1);
    }
    const running = [...runs.values()].find(({ status }) => status === 'running');
    if (running) return this.finish(who, running.runId, endsWell);
    this.nowMs += 6 * HOUR_MS;
    this.handleDue(who, false);
  }

  private get now(): string {
    return new Date(this.nowMs).toISOString();
  }

  private hoursFromNow(hours: number): string {
    return new Date(this.nowMs + hours * HOUR_MS).toISOString();
  }

  private perform(step: Step): void {
    const who = this.inhabitants[step.agent]!;
    const at = this.now;
    switch (step.kind) {
      case 'wake':
        return this.wake(who, step);
      case 'update': {
        const { version } = who.state as RegisteredAgent;
        const baseVersion = step.stale ? version - 1 : version;
        return this.execute(who, {
          ...{ type: 'UpdateAgent', at, baseVersion, configuration: configuration(step.policy) },
        });
      }
      case 'approve':
        return this.execute(who, { type: 'ApproveAgent', at });
      case 'pause':
        return this.execute(who, { type: 'PauseAgent', at, reason: 'manual' });
      case 'resume':
        return this.execute(who, { type: 'ResumeAgent', at });
      case 'terminate':
        return this.execute(who, { type: 'TerminateAgent', at });
      case 'reset':
        return this.execute(who, { type: 'ResetSession', at, taskKey: step.taskKey });
      case 'releaseByChance':
        return this.release(who);
      case 'runSaga':
        return this.runSaga(who);
      case 'start':
        return this.start(who, runOf(who, step.run), step.claimId);
      case 'cancel':
        return this.execute(who, { type: 'CancelRun', at, runId: runOf(who, step.run) });
      case 'requestEnd':
        return this.execute(who, {
          ...{ type: 'RequestRunEnd', at, runId: runOf(who, step.run), cause: step.cause },
        });
      case 'finish':
        return this.finish(who, runOf(who, step.run), step);
      case 'killFailed':
        return this.finish(who, runOf(who, step.run), { ...endsWell, exitCode: 137 }, 'kill_failed');
      case 'passTime':
        this.nowMs += step.hours * HOUR_MS;
        return;
      default:
        return this.performMore(who, step);
    }
  }

  private performMore(
    who: Inhabitant,
    step: Extract<
      Step,
      {
        kind:
          | ('handleDue' | 'schedule' | 'cancelWakeup' | 'pauseCompany' | 'resumeCompany')
          | ('budget' | 'spend' | 'review' | 'stopCompany');
      }
    >,
  ): void {
    switch (step.kind) {
      case 'handleDue':
        return this.handleDue(who, true);
      case 'schedule':
        return this.schedule(who, step.stale);
      case 'cancelWakeup': {
        const wakeupId = who.wakeupIds.at(-1 - step.run) ?? 'wakeup-0';
        return this.execute(who, { type: 'CancelWakeup', at: this.now, wakeupId });
      }
      case 'pauseCompany':
        this.companyPaused = true;
        return;
      case 'resumeCompany':
        this.companyPaused = false;
        for (const inhabitant of this.inhabitants) inhabitant.pendingReleases += 1;
        return;
      case 'stopCompany':
        this.companyOverBudget = step.isOver;
        if (!step.isOver) for (const inhabitant of this.inhabitants) inhabitant.pendingReleases += 1;
        return;
      case 'spend':
        who.spent = withEntry(who.spent, settlement(step.micros), this.now);
        return;
      case 'review':
        return this.execute(who, { type: 'ReviewBudget', at: this.now, spending: this.spendingOf(who) });
      case 'budget': {
        const spending = this.spendingOf(who);
        return this.execute(who, { type: 'ChangeBudget', at: this.now, budget: step.budget, spending });
      }
    }
  }

  private spendingOf({ spent }: Inhabitant): Spending {
    return spendingIn(monthOf(this.now), spent);
  }

  private get company(): CompanyStanding {
    const { companyPaused, companyOverBudget } = this;
    return { companyPaused, companyOverBudget };
  }

  private handleDue(who: Inhabitant, withTimer: boolean): void {
    const { company, now: at } = this;
    const state = who.state as RegisteredAgent;
    const wakes = withTimer && state.nextDue !== null;
    const due = { type: 'HandleDue', at, ...company } as const;
    if (!wakes) return this.execute(who, { ...due, timer: null });
    const date = new Date(this.nowMs);
    const next = nextDue(policyOf(state), state.nextDue!, date, 0);
    const missed = hasMissed(policyOf(state), state.nextDue!, date);
    this.execute(who, { ...due, timer: { ...timer(0, next, {}, missed), ...this.newIds() } });
  }

  private schedule(who: Inhabitant, stale: boolean): void {
    const state = who.state as RegisteredAgent;
    const due = firstDue(policyOf(state), new Date(this.nowMs), state.nextDue, 0);
    const version = stale ? state.version - 1 : state.version;
    this.execute(who, { type: 'ScheduleTimer', at: this.now, version, due });
  }

  private newIds(): { wakeupId: string; runId: string } {
    const n = (this.counter += 1);
    return { wakeupId: `wakeup-${n}`, runId: `run-${n}` };
  }

  private release(who: Inhabitant): void {
    const { company, now: at } = this;
    this.execute(who, { type: 'ReleaseDeferredWakeups', at, ...company });
  }

  private wake(who: Inhabitant, step: Extract<Step, { kind: 'wake' }>): void {
    const { source, coalesceKey, taskKey, key, variant, isManual, notBeforeHours } = step;
    const { company, now: at } = this;
    const keyHash = key === null ? null : `key-${key}`;
    const ids = { at, ...this.newIds(), keyHash, requestHash: `request-${variant}` };
    const notBefore = notBeforeHours === 0 ? null : this.hoursFromNow(notBeforeHours);
    const triggerDetail = isManual ? 'manual' : null;
    const asked = request({ source, triggerDetail, coalesceKey, taskKey, notBefore });
    this.execute(who, { type: 'RequestWakeup', ...ids, ...company, request: asked });
  }

  private runSaga(who: Inhabitant): void {
    if (who.pendingReleases === 0) return;
    who.pendingReleases -= 1;
    this.release(who);
  }

  private start(who: Inhabitant, runId: string, claim: number): void {
    const claimId = `${runId}/claim-${claim}`;
    const { company, now: at } = this;
    const node = { nodeId: `node-${claim}`, claimId };
    // Which node it is matters to none of the rules that are looked at here.
    const placement = { freeAdapterTypes: ['process'], goneNodeId: null };
    this.execute(who, { type: 'StartRun', at, runId, ...node, ...company, ...placement });
  }

  private finish(who: Inhabitant, runId: string, how: Ending, errorCode: string | null = null): void {
    const held = (who.state as RegisteredAgent).runs.get(runId)?.claim;
    const claim = how.claim === 'right' && held ? held : { nodeId: 'node-9', claimId: 'nobody has it' };
    const { nodeId, claimId } = claim;
    const sessionId = how.say === 'new' ? `session of ${runId}` : null;
    const retryNotBefore = how.quotaHours > 0 ? this.hoursFromNow(how.quotaHours) : null;
    const said = report({ sessionId, clearSession: how.say === 'clear', costMicros: 1, retryNotBefore });
    const exitedAt = this.hoursFromNow(-how.exitedHoursAgo);
    const failure = { errorCode, error: errorCode };
    const nextRunId = this.newIds().runId;
    const outcome = { exitCode: how.exitCode, signal: null, exitedAt, report: said, log: null };
    this.execute(who, {
      ...{
        type: 'FinishRun',
        at: this.now,
        runId,
        nodeId,
        claimId,
        nextRunId,
        jitter: 0.5,
        settlement: null,
      },
      outcome: { ...outcome, ...failure },
    });
  }

  private execute(who: Inhabitant, command: AgentCommand): void {
    let events: readonly AgentEvent[];
    try {
      events = decideCarefully(agentDecider, command, who.state);
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      this.refusals.push(error.code);
      return;
    }
    const options = { at: command.at, firstPosition: this.log.length + 1 };
    for (const recorded of recordAll(events, options)) {
      // What others get to see has been through the log.
      const event = JSON.parse(JSON.stringify(recorded.event)) as AgentEvent;
      who.state = agentDecider.evolve(who.state, event);
      this.log.push({ ...recorded, event });
      this.observe({ ...recorded, event });
      if (isForSaga(event)) who.pendingReleases += 1;
      if (event.type === 'RunStarted') who.spent = withStart(who.spent, command.at);
      if (event.type === 'RunQueued') who.runIds.push(event.data.runId);
      if (event.type === 'WakeupRequested') who.wakeupIds.push(event.data.wakeupId);
    }
  }
}

function runOf(who: Inhabitant, ago: number): string {
  return who.runIds.at(-1 - ago) ?? who.runIds[0] ?? 'run-0';
}

function isForSaga(event: AgentEvent): boolean {
  return (deferredReleaseSaga.handles as readonly string[]).includes(event.type);
}
