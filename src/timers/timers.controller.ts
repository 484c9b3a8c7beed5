import { Body, Controller, HttpCode, Inject, Post } from '@nestjs/common';
import { z } from 'zod';
import { AgentsStore } from '../agents/agents.store';
import { parse } from '../http/parse';
import { Written } from '../http/written';
import type { Clock } from '../kernel/clock';
import { TestClock } from '../kernel/clock';
import { DomainError } from '../kernel/errors';
import { NodeExecution } from '../runs/node-execution';
import { CLOCK } from '../tokens';
import { AlarmClock } from './alarm-clock';

const tickSchema = z.strictObject({ now: z.iso.datetime({ offset: true }).optional() });

@Controller('v1/admin')
export class TimersController {
  constructor(
    private readonly alarms: AlarmClock,
    private readonly agents: AgentsStore,
    private readonly execution: NodeExecution,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Looks at what is due, by hand. `now` sets the clock, where the server was started with one that can be set. */
  @Post('tick')
  @HttpCode(200)
  async tick(@Body() body: unknown) {
    const { now } = parse(tickSchema, body ?? {});
    if (now !== undefined) {
      if (!(this.clock instanceof TestClock)) {
        throw new DomainError('bad_request', 'now: only with --test-clock', { field: 'now' });
      }
      this.clock.set(new Date(now));
      this.execution.lookAgain();
    }
    return new Written(await this.alarms.tickTimers(), await this.agents.head());
  }
}
