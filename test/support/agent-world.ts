import fc from 'fast-check';
import type { AgentCommand } from '../../src/agents/domain/agent.commands';
import { agentDecider } from '../../src/agents/domain/agent.decider';
import type { AgentEvent, EndCause, WakeupSource } from '../../src/agents/domain/agent.events';
import { endCauses } from '../../src/agents/domain/agent.events';
import type { AgentState, RegisteredAgent } from '../../src/agents/domain/agent.state';
import type { HeartbeatPolicy } from '../../src/agents/domain/policy';
import { deferredReleaseSaga } from '../../src/agents/sagas/deferred-release.saga';
import { DomainError } from '../../src/kernel/errors';
import type { Recorded } from '../../src/kernel/event';
import { COMPANY, NOW, configuration, report, request } from './agent-history';
import { decideCarefully } from './given';
import { recordAll } from './projected';

/** What may happen to an agent. Runs are named by how long ago they were thought of: 0 is the newest. */
export type Step = { agent: number } & (
  | { kind: 'wake'; source: WakeupSource; coalesceKey: string | null; key: number | null; variant: number }
  | { kind: 'update'; policy: Partial<HeartbeatPolicy>; stale: boolean }
  | { kind: 'approve' | 'pause' | 'resume' | 'terminate' | 'reset' | 'releaseByChance' | 'runSaga' }
  | { kind: 'start'; run: number; claimId: number }
  | { kind: 'cancel'; run: number }
  | { kind: 'requestEnd'; run: number; cause: EndCause }
  | { kind: 'finish'; run: number; claim: 'right' | 'wrong'; exitCode: number; say: SaidOfSession }
  | { kind: 'killFailed'; run: number }
  | { kind: 'passTime'; hours: number }
);

type SaidOfSession = 'new' | 'clear' | 'nothing';

const agents = 2;
const someRun = fc.nat(6);

const policy: fc.Arbitrary<Partial<HeartbeatPolicy>> = fc.record({
  maxConcurrentRuns: fc.integer({ min: 1, max: 3 }),
  whenBusy: fc.constantFrom('followUp', 'followUp', 'coalesce', 'enqueue', 'interrupt', 'reject'),
  enabled: fc.boolean(),
  wakeOnDemand: fc.constantFrom(true, true, true, false),
});

const steps = {
  wake: fc.record({
    source: fc.constantFrom<WakeupSource>('timer', 'assignment', 'on_demand', 'on_demand', 'automation'),
    coalesceKey: fc.constantFrom(null, null, 'a', 'b'),
    key: fc.option(fc.nat(3)),
    variant: fc.constantFrom(0, 0, 0, 1),
  }),
  update: fc.record({ policy, stale: fc.constantFrom(false, false, false, true) }),
  approve: fc.constant({}),
  pause: fc.constant({}),
  resume: fc.constant({}),
  terminate: fc.constant({}),
  reset: fc.constant({}),
  releaseByChance: fc.constant({}),
  runSaga: fc.constant({}),
  start: fc.record({ run: someRun, claimId: fc.nat(1) }),
  cancel: fc.record({ run: someRun }),
  requestEnd: fc.record({ run: someRun, cause: fc.constantFrom(...(Object.keys(endCauses) as EndCause[])) }),
  finish: fc.record({
    run: someRun,
    claim: fc.constantFrom('right', 'right', 'right', 'wrong'),
    exitCode: fc.constantFrom(0, 0, 1),
    say: fc.constantFrom<SaidOfSession>('new', 'clear', 'nothing'),
  }),
  killFailed: fc.record({ run: someRun }),
  passTime: fc.record({ hours: fc.constantFrom(1, 12, 25) }),
} satisfies Record<Step['kind'], fc.Arbitrary<object>>;

const weights: Record<Step['kind'], number> = {
  ...{ wake: 30, update: 3, approve: 1, pause: 2, resume: 4, terminate: 0.3, reset: 2, releaseByChance: 2 },
  ...{ runSaga: 10, start: 20, cancel: 3, requestEnd: 3, finish: 20, killFailed: 0.5, passTime: 3 },
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
  /** Of all runs that were ever thought of. */
  runIds: string[];
  /** What the saga wants to do, and has not done yet. */
  pendingReleases: number;
}

/** A few agents on one log, driven by steps. Commands that are refused leave nothing but a count. */
export class AgentWorld {
  readonly log: Recorded<AgentEvent>[] = [];
  readonly refusals: string[] = [];
  readonly inhabitants: readonly Inhabitant[];
  private nowMs = Date.parse(NOW);
  private counter = 0;

  /** @param observe is shown every event as it is appended */
  constructor(
    story: Story,
    private readonly observe: (recorded: Recorded<AgentEvent>) => void,
  ) {
    this.inhabitants = story.start.map((_start, index) => ({
      ...{ agentId: `agent-${index}`, state: agentDecider.initial(), runIds: [], pendingReleases: 0 },
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
   * Lets everything come to its end: agents are allowed to work, queued runs start and running ones finish. Deferred
   * wakeups are released only where the saga wants it, as in the server.
   */
  settle(): void {
    for (const [agent, who] of this.inhabitants.entries()) {
      this.perform({ kind: 'approve', agent });
      this.perform({ kind: 'resume', agent });
      for (let turn = 0; turn < 1_000 && this.isOpen(who); turn += 1) this.workOn(who);
      if (this.isOpen(who)) throw new Error(`${who.agentId} never comes to rest`);
    }
  }

  private isOpen({ state, pendingReleases }: Inhabitant): boolean {
    return pendingReleases > 0 || (state as RegisteredAgent).runs.size > 0;
  }

  private workOn(who: Inhabitant): void {
    while (who.pendingReleases > 0) this.runSaga(who);
    const { runs } = who.state as RegisteredAgent;
    for (const { runId, status } of [...runs.values()]) {
      if (status === 'queued') this.start(who, runId, 1);
    }
    const running = [...runs.values()].find(({ status }) => status === 'running');
    if (running) this.finish(who, running.runId, { claim: 'right', exitCode: 0, say: 'nothing' });
  }

  private get now(): string {
    return new Date(this.nowMs).toISOString();
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
        return this.execute(who, { type: 'ResetSession', at });
      case 'releaseByChance':
        return this.execute(who, { type: 'ReleaseDeferredWakeups', at });
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
        return this.finish(
          who,
          runOf(who, step.run),
          { claim: 'right', exitCode: 137, say: 'nothing' },
          'kill_failed',
        );
      case 'passTime':
        this.nowMs += step.hours * 3_600_000;
    }
  }

  private wake(who: Inhabitant, step: Extract<Step, { kind: 'wake' }>): void {
    const { source, coalesceKey, key, variant } = step;
    const n = (this.counter += 1);
    const runId = `run-${n}`;
    who.runIds.push(runId);
    const keyHash = key === null ? null : `key-${key}`;
    const ids = { at: this.now, wakeupId: `wakeup-${n}`, runId, keyHash, requestHash: `request-${variant}` };
    this.execute(who, { type: 'RequestWakeup', ...ids, request: request({ source, coalesceKey }) });
  }

  private runSaga(who: Inhabitant): void {
    if (who.pendingReleases === 0) return;
    who.pendingReleases -= 1;
    this.execute(who, { type: 'ReleaseDeferredWakeups', at: this.now });
  }

  private start(who: Inhabitant, runId: string, claim: number): void {
    const claimId = `${runId}/claim-${claim}`;
    this.execute(who, { type: 'StartRun', at: this.now, runId, nodeId: `node-${claim}`, claimId });
  }

  private finish(
    who: Inhabitant,
    runId: string,
    how: { claim: 'right' | 'wrong'; exitCode: number; say: SaidOfSession },
    errorCode: string | null = null,
  ): void {
    const held = (who.state as RegisteredAgent).runs.get(runId)?.claim;
    const claim = how.claim === 'right' && held ? held : { nodeId: 'node-9', claimId: 'nobody has it' };
    const { nodeId, claimId } = claim;
    const sessionId = how.say === 'new' ? `session of ${runId}` : null;
    const said = report({ sessionId, clearSession: how.say === 'clear', costMicros: 1 });
    const failure = { errorCode, error: errorCode };
    const outcome = { exitCode: how.exitCode, signal: null, exitedAt: this.now, report: said, log: null };
    this.execute(who, {
      ...{ type: 'FinishRun', at: this.now, runId, nodeId, claimId, outcome: { ...outcome, ...failure } },
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
    }
  }
}

function runOf(who: Inhabitant, ago: number): string {
  return who.runIds.at(-1 - ago) ?? who.runIds[0] ?? 'run-0';
}

function isForSaga(event: AgentEvent): boolean {
  return (deferredReleaseSaga.handles as readonly string[]).includes(event.type);
}
