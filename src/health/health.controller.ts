import { Controller, Get, Inject, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { EventLog } from '../event-log/event-log';
import { Processing } from '../processing/processing';
import { NodeExecution } from '../runs/node-execution';
import { EVENT_LOG, NODE_ID } from '../tokens';

@Controller('health')
export class HealthController {
  constructor(
    @Inject(EVENT_LOG) private readonly log: EventLog,
    @Inject(NODE_ID) private readonly nodeId: string,
    private readonly processing: Processing,
    private readonly execution: NodeExecution,
  ) {}

  /** The process answers. */
  @Get('live')
  live() {
    return { status: 'ok' };
  }

  /** The node does its work; otherwise 503, and which part is ill. */
  @Get('ready')
  async ready(@Res({ passthrough: true }) reply: FastifyReply) {
    const head = await this.log.head().then(
      (position) => `${position}`,
      () => null,
    );
    const consumers = this.processing.status();
    const isWell =
      head !== null &&
      consumers.every(({ stoppedBy, ailment }) => stoppedBy === null && ailment === null) &&
      this.execution.illness === null;
    void reply.code(isWell ? 200 : 503);
    return {
      status: isWell ? 'ok' : 'ill',
      nodeId: this.nodeId,
      eventLog: { status: head === null ? 'ill' : 'ok', head },
      consumers,
      execution: { status: this.execution.illness ?? 'ok' },
      runs: this.execution.load,
    };
  }
}
