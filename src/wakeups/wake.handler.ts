import type { ICommandHandler } from '@nestjs/cqrs';
import { Command, CommandHandler } from '@nestjs/cqrs';
import type { WakeupRequest } from '../agents/domain/agent.events';
import type { CompanyStanding, RequestWakeup } from '../agents/domain/agent.commands';
import type { AgentState } from '../agents/domain/agent.state';
import { AgentsStore } from '../agents/agents.store';
import { Directory } from '../agents/directory';
import { BudgetReview } from '../budgets/budget-review';
import type { Principal } from '../auth/principal';
import { Written } from '../http/written';
import { DomainError } from '../kernel/errors';
import { canonicalJson, sha256Hex } from '../kernel/canonical-json';
import type { Cause } from '../kernel/cause';
import type { Position, Recorded } from '../kernel/event';
import { uuidv7 } from '../kernel/ids';
import { Processing } from '../processing/processing';
import type { Projection } from '../processing/projection';
import { ReadModels } from '../processing/read-models';
import { runsProjection } from '../runs/projections/runs.projection';
import { contextWakeupIds, runView } from '../runs/run.view';
import { asAskedBy, causingRun } from './agent-wakes';
import { wakeupsProjection } from './projections/wakeups.projection';
import { wakeupView } from './wakeup.view';
import type { WakeAnswer } from './wakeups.routes';

/** Asks for an agent to be woken; whether that becomes a run is decided on the agent's stream. */
export class WakeAgent extends Command<Written<WakeAnswer>> {
  constructor(
    readonly agentId: string,
    readonly request: WakeupRequest,
    readonly principal: Principal,
    readonly cause: Cause,
  ) {
    super();
  }
}

@CommandHandler(WakeAgent)
export class WakeAgentHandler implements ICommandHandler<WakeAgent> {
  constructor(
    private readonly directory: Directory,
    private readonly agents: AgentsStore,
    private readonly budgets: BudgetReview,
    private readonly processing: Processing,
    private readonly readModels: ReadModels,
  ) {}

  async execute({ agentId, request: asked, principal, cause }: WakeAgent): Promise<Written<WakeAnswer>> {
    const address = await this.directory.agent(agentId);
    const request = asAskedBy(principal, asked);
    await this.budgets.beforeDecision(address);
    const command: Omit<RequestWakeup, 'at' | keyof CompanyStanding> = {
      type: 'RequestWakeup',
      wakeupId: uuidv7(),
      runId: uuidv7(),
      request,
      keyHash: request.idempotencyKey === null ? null : shortHash(request.idempotencyKey),
      requestHash: shortHash(canonicalJson(request)),
      causedBy: await causingRun(this.agents, principal, agentId),
    };
    const { events, position, answer } = await this.agents.execute(address, command, cause, (state) =>
      keyOwner(state, command),
    );
    if (position === null) return this.answerFrom(answer!, await this.agents.head());
    const decision = events.at(-1)!.event;
    // Only a run that others are in as well has to be read back: of a new one the events tell everything.
    const joinsRun = decision.type === 'WakeupCoalesced' && decision.data.intoWakeupId === null;
    if (joinsRun) {
      try {
        return await this.answerFrom(command.wakeupId, position);
      } catch (error) {
        // What has been written is never answered with a failure: then the run is left out.
        if (!(error instanceof DomainError)) throw error;
      }
    }
    const wakeup = fold(wakeupsProjection, events)!;
    const run = decision.type === 'RunQueued' ? fold(runsProjection, events) : null;
    const body = {
      wakeup: wakeupView(wakeup, run ?? undefined),
      run: run && runView(run, new Map([[wakeup.id, wakeup]])),
      position: position.toString(),
    };
    return new Written(body, position);
  }

  /** From the read models as of a position: what a request was answered with, and what has become of it. */
  private async answerFrom(wakeupId: string, seen: Position): Promise<Written<WakeAnswer>> {
    await this.processing.waitFor(seen, [wakeupsProjection.name, runsProjection.name]);
    const wakeup = await this.directory.wakeup(wakeupId);
    const run = wakeup.runId === null ? null : await this.readModels.get(runsProjection, wakeup.runId);
    const visible = run && run.status !== 'reserved' ? run : null;
    const context = visible
      ? await this.readModels.getMany(wakeupsProjection, contextWakeupIds(visible))
      : null;
    const body = {
      wakeup: wakeupView(wakeup, visible ?? undefined),
      run: visible && context && runView(visible, context),
      position: wakeup.decidedPosition,
    };
    return new Written(body, BigInt(wakeup.decidedPosition));
  }
}

/** 128 bits are enough to tell keys apart, and an agent's state holds many of them. */
function shortHash(text: string): string {
  return sha256Hex(text).slice(0, 32);
}

/** The wakeup that the command's idempotency key stands for. */
function keyOwner(state: AgentState, { keyHash }: Pick<RequestWakeup, 'keyHash'>): string | undefined {
  if (state.status === 'unregistered' || keyHash === null) return undefined;
  return state.keys.get(keyHash)?.wakeupId;
}

/** What a projection makes of a command's own events. */
function fold<D extends object>(projection: Projection<D>, events: readonly Recorded[]): D | null {
  return events
    .filter(({ event }) => projection.handles.includes(event.type))
    .reduce<D | null>((document, recorded) => projection.evolve(document, recorded), null);
}
