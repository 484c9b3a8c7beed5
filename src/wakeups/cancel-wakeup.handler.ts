import type { ICommandHandler } from '@nestjs/cqrs';
import { Command, CommandHandler } from '@nestjs/cqrs';
import { AgentsStore } from '../agents/agents.store';
import { Directory } from '../agents/directory';
import { Written } from '../http/written';
import type { Cause } from '../kernel/cause';
import { WakeupAnswers } from './wakeup.queries';
import type { WakeupView } from './wakeup.view';

export class CancelWakeup extends Command<Written<WakeupView>> {
  constructor(
    readonly wakeupId: string,
    readonly cause: Cause,
  ) {
    super();
  }
}

@CommandHandler(CancelWakeup)
export class CancelWakeupHandler implements ICommandHandler<CancelWakeup> {
  constructor(
    private readonly directory: Directory,
    private readonly agents: AgentsStore,
    private readonly answers: WakeupAnswers,
  ) {}

  /** 202 while its run is still to end, 200 where it is over. */
  async execute({ wakeupId, cause }: CancelWakeup) {
    const address = await this.directory.wakeup(wakeupId);
    const { position } = await this.agents.execute(
      address,
      { type: 'CancelWakeup', wakeupId },
      cause,
      () => undefined,
    );
    const seenBy = position ?? (await this.agents.head());
    const wakeup = await this.answers.one(wakeupId, seenBy);
    return new Written(wakeup, seenBy, wakeup.finishedAt === null ? 202 : 200);
  }
}
