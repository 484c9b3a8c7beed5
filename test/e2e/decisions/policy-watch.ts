import type { AgentEvent } from '../../../src/agents/domain/agent.events';
import type { HeartbeatPolicy } from '../../../src/agents/domain/policy';
import type { Recorded } from '../../../src/kernel/event';

interface WatchedAgent {
  policy: HeartbeatPolicy;
  isPaused: boolean;
  /** Of the runs that are running, by run. */
  running: Map<string, string | null>;
  keys: Map<string, string | null>;
  starts: Map<string, number>;
  /** The most that ran at once. */
  peak: number;
}

export interface WatchedWakeup {
  /** How often it has ended: once is right. */
  ends: number;
  /** It has ended as a receipt on a running run, and stays one, whichever run comes to stand for it. */
  isReceipt: boolean;
  /** Deferred, and neither released nor ended since. */
  isWaiting: boolean;
}

/**
 * Reads the agents' streams with rules of its own: what it finds is what the contract forbids, whatever the decider
 * thinks of it.
 */
export class PolicyWatch {
  readonly violations: string[] = [];
  readonly wakeups = new Map<string, WatchedWakeup>();
  private readonly agents = new Map<string, WatchedAgent>();

  get peaks(): number[] {
    return [...this.agents.values()].map(({ peak }) => peak);
  }

  see({ event, position, metadata }: Recorded<AgentEvent>): void {
    const { agentId } = event.data;
    if (event.type === 'AgentRegistered') {
      const policy = event.data.runtimeConfig.heartbeat;
      const empty = { running: new Map(), keys: new Map(), starts: new Map() };
      this.agents.set(agentId, { policy, isPaused: false, peak: 0, ...empty });
      return;
    }
    const agent = this.agents.get(agentId)!;
    this.seeWakeup(event);
    switch (event.type) {
      case 'AgentUpdated':
        agent.policy = event.data.runtimeConfig.heartbeat;
        return;
      case 'AgentPaused':
      case 'AgentResumed':
        agent.isPaused = event.type === 'AgentPaused';
        return;
      case 'RunQueued':
        agent.keys.set(event.data.runId, event.data.coalesceKey);
        return;
      case 'RunStarted':
        return this.seeStart(agent, event.data.runId, metadata.at.slice(0, 10), `at ${position}: `);
      case 'RunFinished':
        agent.running.delete(event.data.runId);
        return;
      default:
    }
  }

  private seeStart(agent: WatchedAgent, runId: string, day: string, where: string): void {
    const { policy, running, keys, starts } = agent;
    const key = keys.get(runId);
    if (key === undefined) this.violations.push(`${where}started and never queued`);
    if (running.has(runId)) this.violations.push(`${where}started twice`);
    if (agent.isPaused) this.violations.push(`${where}started while its agent is paused`);
    if ([...running.values()].includes(key ?? null)) this.violations.push(`${where}two runs of key ${key}`);
    running.set(runId, key ?? null);
    agent.peak = Math.max(agent.peak, running.size);
    if (running.size > policy.maxConcurrentRuns) this.violations.push(`${where}${running.size} runs at once`);
    const today = (starts.get(day) ?? 0) + 1;
    starts.set(day, today);
    if (policy.maxDailyRuns !== null && today > policy.maxDailyRuns) {
      this.violations.push(`${where}start number ${today} of the day`);
    }
  }

  private seeWakeup(event: AgentEvent): void {
    switch (event.type) {
      case 'WakeupRequested':
        this.wakeups.set(event.data.wakeupId, { ends: 0, isReceipt: false, isWaiting: false });
        return;
      case 'WakeupDeferred':
        this.wakeups.get(event.data.wakeupId)!.isWaiting = true;
        return;
      case 'RunQueued':
        this.wakeups.get(event.data.wakeupId)!.isWaiting = false;
        return;
      case 'WakeupCoalesced':
        this.seeEnd(event.data.wakeupId, event.data.reason === 'run.running');
        return;
      case 'WakeupSkipped':
      case 'WakeupCancelled':
      case 'WakeupExpired':
        return this.seeEnd(event.data.wakeupId);
      case 'RunFinished':
        if (!event.data.willRetry) this.seeEnd(event.data.wakeupId);
        return;
      default:
    }
  }

  private seeEnd(wakeupId: string, isReceipt = false): void {
    const wakeup = this.wakeups.get(wakeupId)!;
    if (wakeup.isReceipt) return;
    Object.assign(wakeup, { ends: wakeup.ends + 1, isReceipt, isWaiting: false });
  }
}
