import { Controller, Inject } from '@nestjs/common';
import { AgentsStore } from '../agents/agents.store';
import { RequestCause } from '../http/actor';
import { Handles, Input } from '../http/handles';
import type { InputOf } from '../http/route';
import { Written } from '../http/written';
import type { Cause } from '../kernel/cause';
import type { Clock } from '../kernel/clock';
import { TestClock } from '../kernel/clock';
import { DomainError } from '../kernel/errors';
import { NodeExecution } from '../runs/node-execution';
import { CLOCK } from '../tokens';
import { AlarmClock } from './alarm-clock';
import { timerRoutes as routes } from './timers.routes';

@Controller()
export class TimersController {
  constructor(
    private readonly alarms: AlarmClock,
    private readonly agents: AgentsStore,
    private readonly execution: NodeExecution,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Looks at what is due, by hand. `now` sets the clock, where the server was started with one that can be set. */
  @Handles(routes.tick)
  async tick(
    @Input() { body: { now } }: InputOf<typeof routes.tick>,
    @RequestCause() { correlationId }: Cause,
  ) {
    if (now !== undefined) {
      if (!(this.clock instanceof TestClock)) {
        throw new DomainError('bad_request', 'now: only with --test-clock', { field: 'now' });
      }
      this.clock.set(new Date(now));
      this.execution.lookAgain();
    }
    return new Written(await this.alarms.tickTimers(correlationId), await this.agents.head());
  }
}
