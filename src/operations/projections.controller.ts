import { Controller, Inject } from '@nestjs/common';
import type { EventLog } from '../event-log/event-log';
import { Handles, Input } from '../http/handles';
import type { InputOf } from '../http/route';
import { DomainError } from '../kernel/errors';
import { Processing } from '../processing/processing';
import { ProjectionJobs } from '../processing/projection-jobs';
import { EVENT_LOG } from '../tokens';
import { consumerView } from './consumer.view';
import type { ConsumerAnswer, ConsumersAnswer, JobAnswer } from './projections.routes';
import { projectionRoutes as routes } from './projections.routes';

/** For operators: how far the projections and sagas of this node are, and what can be done about them. */
@Controller()
export class ProjectionsController {
  constructor(
    @Inject(EVENT_LOG) private readonly log: EventLog,
    private readonly processing: Processing,
    private readonly jobs: ProjectionJobs,
  ) {}

  @Handles(routes.listProjections)
  async list(): Promise<ConsumersAnswer> {
    const head = await this.log.head();
    const items = this.processing.status().map((status) => consumerView(status, head, this.jobs));
    return { head: `${head}`, items };
  }

  @Handles(routes.rebuildProjection)
  rebuild(@Input() { params, body }: InputOf<typeof routes.rebuildProjection>): Promise<JobAnswer> {
    return this.jobs.request('rebuild', params.name, body);
  }

  @Handles(routes.swapProjection)
  swap(@Input() { params }: InputOf<typeof routes.swapProjection>): Promise<JobAnswer> {
    return this.jobs.request('swap', params.name);
  }

  @Handles(routes.compareProjection)
  compare(@Input() { params }: InputOf<typeof routes.compareProjection>): Promise<JobAnswer> {
    return this.jobs.request('compare', params.name);
  }

  @Handles(routes.retryProjection)
  async retry(
    @Input() { params: { name } }: InputOf<typeof routes.retryProjection>,
  ): Promise<ConsumerAnswer> {
    if (!this.processing.retry(name))
      throw new DomainError('projection_not_found', `There is no projection or saga ${name}`, { name });
    const { items } = await this.list();
    return items.find((item) => item.name === name)!;
  }

  @Handles(routes.getProjectionJob)
  job(@Input() { params }: InputOf<typeof routes.getProjectionJob>): JobAnswer {
    return this.jobs.get(params.jobId);
  }

  @Handles(routes.cancelProjectionJob)
  cancel(@Input() { params }: InputOf<typeof routes.cancelProjectionJob>): JobAnswer {
    return this.jobs.cancel(params.jobId);
  }
}
