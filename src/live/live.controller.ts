import { Controller, Headers, Res, StreamableFile } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { Principal } from '../auth/principal';
import { RequestPrincipal } from '../http/actor';
import { Handles, Input } from '../http/handles';
import type { InputOf } from '../http/route';
import { endTogether, EventStream } from './event-stream';
import { liveRoutes as routes } from './live.routes';
import { FROM_THE_BEGINNING, LiveStreams } from './live-streams';

const EVENT_STREAM = 'text/event-stream';

@Controller()
export class LiveController {
  constructor(private readonly live: LiveStreams) {}

  @Handles(routes.listLiveMessages)
  async events(
    @Input() { params, query, headers }: InputOf<typeof routes.listLiveMessages>,
    @Headers('accept') accept: string | undefined,
    @RequestPrincipal() principal: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { after, limit, ...wanted } = query;
    const scope = await this.live.scopeOf(principal, { ...wanted, companyId: params.companyId });
    if (!accept?.includes(EVENT_STREAM)) {
      const page = await this.live.page(scope, await this.live.begin(after ?? FROM_THE_BEGINNING), limit);
      return { ...page, items: page.items.map((message) => message.toJSON()) };
    }
    const from = await this.live.begin(headers['Last-Event-ID'] ?? after);
    // Only now, and right before it is counted: of many requests at once each would still see none of the others.
    this.live.refuseTooMany(principal);
    const stream = new EventStream();
    const sink = this.live.openSink(stream, principal);
    stream.once('close', () => sink.end());
    endTogether(stream, reply.raw, sink.signal);
    this.live.follow(scope, from, sink).start();
    void reply.header('X-Accel-Buffering', 'no');
    return new StreamableFile(stream, { type: EVENT_STREAM });
  }
}
