import { Readable } from 'node:stream';
import { Body, Controller, Get, Headers, HttpCode, Param, Post, Query, StreamableFile } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { z } from 'zod';
import { RequestActor } from '../http/actor';
import { clampedNumber, limitSchema, parse, parseWaitFor, wholeNumber } from '../http/parse';
import type { Actor } from '../kernel/event';
import { GetRunLog, StreamRunLog } from './run-log.queries';
import { DEFAULT_STALE_MS } from './run-reaper';
import { CancelRun, ReapRuns } from './run.handlers';
import { GetActiveRun, GetRun, GetRunEvents, ListRuns } from './run.queries';

const MAX_LOG_PAGE_BYTES = 1024 * 1024;
/** The longest UTF-8 character: a smaller page could come out empty. */
const MIN_LOG_PAGE_BYTES = 4;

const offset = wholeNumber.pipe(z.number().int().min(0)).default(0);
const waitFor = z.unknown().optional();

const listSchema = z.strictObject({
  agentId: z.string().max(100).optional(),
  status: z.enum(['queued', 'running', 'succeeded', 'failed', 'cancelled', 'timed_out']).optional(),
  limit: limitSchema(50, 200),
  cursor: z.string().max(500).optional(),
  waitFor,
});

const eventsSchema = z.strictObject({ afterSeq: offset, limit: limitSchema(200, 1_000), waitFor });

const logSchema = z.strictObject({
  stream: z.enum(['stdout', 'stderr']).optional(),
  offset,
  limitBytes: clampedNumber({ fallback: 64 * 1024, min: MIN_LOG_PAGE_BYTES, max: MAX_LOG_PAGE_BYTES }),
  waitFor,
});

const reapSchema = z.strictObject({ staleThresholdMs: z.number().int().min(0).default(DEFAULT_STALE_MS) });

@Controller('v1')
export class RunsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Get('companies/:companyId/runs')
  list(@Param('companyId') companyId: string, @Query() query: unknown) {
    const { waitFor, ...page } = parse(listSchema, query);
    return this.queries.execute(new ListRuns(companyId, page, parseWaitFor(waitFor)));
  }

  @Get('agents/:agentId/active-run')
  async active(@Param('agentId') agentId: string, @Query('waitFor') waitFor: unknown) {
    const run = await this.queries.execute(new GetActiveRun(agentId, parseWaitFor(waitFor)));
    // An empty body is no JSON: null is written out.
    return run ?? jsonNull();
  }

  @Get('runs/:runId')
  get(@Param('runId') runId: string, @Query('waitFor') waitFor: unknown) {
    return this.queries.execute(new GetRun(runId, parseWaitFor(waitFor)));
  }

  @Post('runs/:runId/cancel')
  @HttpCode(202)
  cancel(@Param('runId') runId: string, @RequestActor() actor: Actor) {
    return this.commands.execute(new CancelRun(runId, actor));
  }

  @Get('runs/:runId/events')
  events(@Param('runId') runId: string, @Query() query: unknown) {
    const { afterSeq, limit, waitFor } = parse(eventsSchema, query);
    return this.queries.execute(new GetRunEvents(runId, afterSeq, limit, parseWaitFor(waitFor)));
  }

  @Get('runs/:runId/log')
  async log(
    @Param('runId') runId: string,
    @Query() query: unknown,
    @Headers('accept') accept: string | undefined,
  ) {
    const { waitFor: waitForText, ...page } = parse(logSchema, query);
    const waitFor = parseWaitFor(waitForText);
    if (prefersPlainText(accept ?? '')) {
      const bytes = await this.queries.execute(new StreamRunLog(runId, page.stream, page.offset, waitFor));
      return new StreamableFile(Readable.from(bytes, { objectMode: false }), {
        type: 'text/plain; charset=utf-8',
      });
    }
    return this.queries.execute(new GetRunLog(runId, page, waitFor));
  }

  @Post('admin/reap')
  @HttpCode(200)
  reap(@Body() body: unknown) {
    const { staleThresholdMs } = parse(reapSchema, body ?? {});
    return this.commands.execute(new ReapRuns(staleThresholdMs));
  }
}

/** Whether plain text comes before JSON: clients that take anything name both, and mean JSON. */
function prefersPlainText(accept: string): boolean {
  const [first] = /text\/plain|application\/json/i.exec(accept) ?? [];
  return first?.toLowerCase() === 'text/plain';
}

function jsonNull(): StreamableFile {
  return new StreamableFile(Buffer.from('null'), { type: 'application/json; charset=utf-8' });
}
