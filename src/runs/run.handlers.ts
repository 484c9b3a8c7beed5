import type { ICommandHandler } from '@nestjs/cqrs';
import { Command, CommandHandler } from '@nestjs/cqrs';
import { AgentsStore } from '../agents/agents.store';
import { Directory } from '../agents/directory';
import { Written } from '../http/written';
import type { Cause } from '../kernel/cause';
import { Processing } from '../processing/processing';
import { runsProjection } from './projections/runs.projection';
import { RunReaper } from './run-reaper';
import { RunAnswers } from './run.queries';
import type { RunView } from './run.view';
import type { Reaped } from './runs.routes';

export class CancelRun extends Command<Written<RunView>> {
  constructor(
    readonly runId: string,
    readonly cause: Cause,
  ) {
    super();
  }
}

export class ReapRuns extends Command<Written<Reaped>> {
  constructor(readonly staleThresholdMs: number) {
    super();
  }
}

@CommandHandler(CancelRun)
export class CancelRunHandler implements ICommandHandler<CancelRun> {
  constructor(
    private readonly directory: Directory,
    private readonly agents: AgentsStore,
    private readonly processing: Processing,
    private readonly answers: RunAnswers,
  ) {}

  /** 202 where the run is still to end as the command leaves it, 200 where it is over; the body may have seen more. */
  async execute({ runId, cause }: CancelRun) {
    const address = await this.directory.run(runId);
    const command = { type: 'CancelRun', runId } as const;
    const { position, answer: isToEnd } = await this.agents.execute(address, command, cause, (state) => {
      return state.status !== 'unregistered' && state.runs.has(runId);
    });
    const seenBy = position ?? (await this.agents.head());
    await this.processing.waitFor(seenBy, [runsProjection.name]);
    const { view } = await this.answers.one(runId);
    return new Written(view, seenBy, isToEnd ? 202 : 200);
  }
}

@CommandHandler(ReapRuns)
export class ReapRunsHandler implements ICommandHandler<ReapRuns> {
  constructor(
    private readonly reaper: RunReaper,
    private readonly agents: AgentsStore,
  ) {}

  async execute({ staleThresholdMs }: ReapRuns) {
    const runIds = await this.reaper.reap(staleThresholdMs);
    return new Written({ reaped: runIds.length, runIds }, await this.agents.head());
  }
}
