import { Controller, Inject, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Handles } from '../http/handles';
import { NODE_ID } from '../tokens';
import type { ReadyView } from './health.routes';
import { healthRoutes as routes } from './health.routes';
import { NodeHealth } from './node-health';

@Controller()
export class HealthController {
  constructor(
    @Inject(NODE_ID) private readonly nodeId: string,
    private readonly health: NodeHealth,
  ) {}

  /** The process answers. */
  @Handles(routes.getLive)
  live() {
    return { status: 'ok' as const };
  }

  /** The node does its work; otherwise 503, and which part is ill. */
  @Handles(routes.getReady)
  async ready(@Res({ passthrough: true }) reply: FastifyReply): Promise<ReadyView> {
    const condition = await this.health.look();
    void reply.code(condition.status === 'ok' ? 200 : 503);
    return { nodeId: this.nodeId, ...condition };
  }
}
