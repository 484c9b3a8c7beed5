import { Controller, Res, StreamableFile } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Handles } from '../http/handles';
import { Metrics } from './metrics';
import { metricsRoutes as routes } from './metrics.routes';

@Controller()
export class MetricsController {
  constructor(private readonly metrics: Metrics) {}

  @Handles(routes.getMetrics)
  async getMetrics(@Res({ passthrough: true }) reply: FastifyReply): Promise<StreamableFile> {
    void reply.type(this.metrics.contentType);
    return new StreamableFile(Buffer.from(await this.metrics.text()));
  }
}
