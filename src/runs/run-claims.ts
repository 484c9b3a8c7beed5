import type { AgentsStore } from '../agents/agents.store';
import type {
  AgentEvent,
  AgentRegistered,
  AgentUpdated,
  EndCause,
  RunStarted,
  WakeupRequested,
} from '../agents/domain/agent.events';
import type { AgentState, OpenRun, OpenWakeup } from '../agents/domain/agent.state';
import type { RunSettlement } from '../costs/run-settlement';
import type { EventLog } from '../event-log/event-log';
import { DomainError } from '../kernel/errors';
import type { Actor, DomainEvent, Position, Recorded, Revision } from '../kernel/event';
import { decode } from '../kernel/event';
import { derivedUuid, uuidv7 } from '../kernel/ids';
import { LruMap } from '../kernel/lru-map';
import { agentStream, runStream } from '../kernel/streams';
import type { ClaimedRun, RunAuthority, RunOutcome } from '../runner/run-authority';
import type { ContextWakeup } from './domain/run-context';
import { composeContext } from './domain/run-context';

export interface RunAddress {
  companyId: string;
  agentId: string;
  runId: string;
}

/** What the agent's state says of an open run, copied. */
interface OpenRunFacts {
  run: OpenRun;
  wakeup: OpenWakeup;
}

/** Each mostly some 1 KiB. */
const MAX_CACHED_CONFIGURATIONS = 500;

/** The agent's word on its runs, for the node that executes them. */
export class RunClaims implements RunAuthority {
  private readonly actor: Actor;
  private readonly life = uuidv7();
  private readonly configurations = new LruMap<string, Recorded<AgentRegistered | AgentUpdated>>(
    MAX_CACHED_CONFIGURATIONS,
  );

  constructor(
    private readonly agents: AgentsStore,
    private readonly log: EventLog,
    private readonly nodeId: string,
    private readonly settlement: RunSettlement,
    private readonly placement: {
      /** See the command. */
      freeAdapterTypes: readonly string[];
      /** Whether a node has ever given a sign of life to those that share these documents. */
      isKnown: (nodeId: string) => Promise<boolean>;
    },
  ) {
    this.actor = { type: 'node', id: nodeId };
  }

  /**
   * Claims a queued run for this node.
   *
   * @param cause what made the run known; undefined: that was before this start, and is the first thing on its stream
   * @throws DomainError `run_not_startable`
   */
  async claim(
    address: RunAddress,
    cause: Recorded | undefined,
  ): Promise<{ run: ClaimedRun; position: Position }> {
    // The same for every attempt of this life: a claim that was taken unnoticed is found to be ours.
    const claimId = derivedUuid(address.runId, this.nodeId, this.life);
    const { freeAdapterTypes } = this.placement;
    const event = cause ?? (await this.eventAt(runStream(address.companyId, address.runId), 0));
    const start = (goneNodeId: string | null) =>
      this.agents.execute(
        address,
        {
          type: 'StartRun',
          runId: address.runId,
          nodeId: this.nodeId,
          claimId,
          freeAdapterTypes,
          goneNodeId,
        },
        { actor: this.actor, event },
        (state) => factsOf(state, address.runId),
      );
    const { answer, events, position } = await start(null).catch(async (error: unknown) => {
      const home = homeOf(error);
      if (home === null || (await this.placement.isKnown(home))) throw error;
      return start(home);
    });
    const started = events.find(isRunStarted);
    return {
      run: await this.claimed(address, answer!, started),
      position: position ?? (await this.log.head()),
    };
  }

  /** A run that the log says is running on this node; null where it is not, or not any more. */
  async resume(address: RunAddress): Promise<ClaimedRun | null> {
    const facts = await this.agents.inspect(address, (state) => factsOf(state, address.runId));
    if (!facts || facts.run.claim?.nodeId !== this.nodeId) return null;
    return this.claimed(address, facts);
  }

  async requestEnd(run: ClaimedRun, cause: EndCause): Promise<EndCause | null> {
    const { answer } = await this.agents.execute(
      run,
      { type: 'RequestRunEnd', runId: run.runId, cause },
      { actor: this.actor, correlationId: run.correlationId },
      (state) => factsOf(state, run.runId)?.run.endCause ?? null,
    );
    return answer;
  }

  async finish(run: ClaimedRun, outcome: RunOutcome): Promise<void> {
    const { runId, nodeId, claimId, correlationId } = run;
    const settlement = await this.settlement.of(run, outcome);
    await this.agents.execute(
      run,
      { type: 'FinishRun', runId, nodeId, claimId, outcome, settlement },
      { actor: this.actor, correlationId },
      () => undefined,
    );
  }

  private async claimed(
    address: RunAddress,
    { run, wakeup }: OpenRunFacts,
    started?: Recorded<RunStarted>,
  ): Promise<ClaimedRun> {
    const { companyId, agentId, runId } = address;
    const stream = agentStream(companyId, agentId);
    const { event, metadata } = started ?? (await this.eventAt<RunStarted>(stream, run.startedRevision!));
    const configured = await this.configurationAt(address, event.data.configurationRevision);
    return {
      companyId,
      agentId,
      runId,
      claimId: event.data.claimId,
      nodeId: event.data.nodeId,
      attempt: run.attempt,
      invocationSource: run.source,
      taskKey: run.taskKey,
      adapterType: event.data.adapterType,
      adapterConfig: configured.event.data.adapterConfig,
      ...(await this.requestedBy(address, wakeup)),
      sessionId: event.data.sessionIdBefore,
      limits: event.data.limits,
      startedAt: metadata.at,
      endCause: run.endCause,
    };
  }

  /**
   * Contexts are not in the agent's state: they are read from the requests' events. What the run does is part of what
   * began with the first of them, also where another run's end has released it.
   */
  private async requestedBy(
    { companyId, agentId }: RunAddress,
    wakeup: OpenWakeup,
  ): Promise<Pick<ClaimedRun, 'context' | 'correlationId'>> {
    const stream = agentStream(companyId, agentId);
    const wakeups: ContextWakeup[] = [];
    const correlationIds: string[] = [];
    for (const { revision } of wakeup.requests) {
      const { event, metadata } = await this.eventAt<WakeupRequested>(stream, revision);
      wakeups.push({ id: event.data.wakeupId, request: event.data });
      correlationIds.push(metadata.correlationId);
    }
    const context = composeContext(wakeups[0]!, wakeups, wakeup.coalescedCount + 1);
    return { context, correlationId: correlationIds[0]! };
  }

  /** What an agent is configured with changes seldom, and its run is to start soon. */
  private async configurationAt(
    address: RunAddress,
    revision: Revision,
  ): Promise<Recorded<AgentRegistered | AgentUpdated>> {
    const key = `${address.agentId} ${revision}`;
    const known = this.configurations.get(key);
    if (known) return known;
    const configured = await this.eventAt<AgentRegistered | AgentUpdated>(
      agentStream(address.companyId, address.agentId),
      revision,
    );
    this.configurations.set(key, configured);
    return configured;
  }

  private async eventAt<E extends DomainEvent>(stream: string, revision: Revision): Promise<Recorded<E>> {
    for await (const stored of this.log.read(stream, { from: revision, limit: 1 })) return decode<E>(stored);
    throw new Error(`${stream} has no revision ${revision}`);
  }
}

/** The node that an agent is to stay on, where that is why it cannot be started. */
function homeOf(error: unknown): string | null {
  if (!(error instanceof DomainError) || error.code !== 'run_not_startable') return null;
  const { because, homeNodeId } = error.details;
  return because === 'placed_elsewhere' && typeof homeNodeId === 'string' ? homeNodeId : null;
}

function isRunStarted(recorded: Recorded<AgentEvent>): recorded is Recorded<RunStarted> {
  return recorded.event.type === 'RunStarted';
}

function factsOf(state: AgentState, runId: string): OpenRunFacts | null {
  if (state.status === 'unregistered') return null;
  const run = state.runs.get(runId);
  const wakeup = run && state.wakeups.get(run.wakeupId);
  if (!run || !wakeup) return null;
  return structuredClone({ run, wakeup });
}
