import { Readable } from 'node:stream';
import { Controller, Headers, StreamableFile } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import type { Principal } from '../auth/principal';
import { RequestCause, RequestPrincipal } from '../http/actor';
import { Handles, Input } from '../http/handles';
import type { InputOf } from '../http/route';
import { DomainError } from '../kernel/errors';
import type { Cause } from '../kernel/cause';
import { reportedNote, reportedUsage } from '../runner/reported-event';
import { GetRunLog, StreamRunLog } from './run-log.queries';
import { CancelRun, ReapRuns } from './run.handlers';
import { ReportToRun } from './run-report.handler';
import { GetActiveRun, GetRun, GetRunEvents, ListRuns } from './run.queries';
import { reapRoutes, runRoutes as routes } from './runs.routes';

@Controller()
export class RunsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Handles(routes.listRuns)
  list(
    @Input() { params, query }: InputOf<typeof routes.listRuns>,
    @RequestPrincipal() { agentId }: Principal,
  ) {
    const { waitFor, ...page } = query;
    if (agentId !== null && page.agentId !== agentId) {
      throw new DomainError('forbidden', 'An agent sees its own runs: say its agentId', { field: 'agentId' });
    }
    return this.queries.execute(new ListRuns(params.companyId, page, waitFor));
  }

  @Handles(routes.getActiveRun)
  async active(@Input() { params, query }: InputOf<typeof routes.getActiveRun>) {
    const run = await this.queries.execute(new GetActiveRun(params.agentId, query.waitFor));
    // An empty body is no JSON: null is written out.
    return run ?? jsonNull();
  }

  @Handles(routes.getRun)
  get(@Input() { params, query }: InputOf<typeof routes.getRun>) {
    return this.queries.execute(new GetRun(params.runId, query.waitFor));
  }

  @Handles(routes.cancelRun)
  cancel(@Input() { params }: InputOf<typeof routes.cancelRun>, @RequestCause() cause: Cause) {
    return this.commands.execute(new CancelRun(params.runId, cause));
  }

  @Handles(routes.listRunEvents)
  events(@Input() { params, query }: InputOf<typeof routes.listRunEvents>) {
    const { afterSeq, limit, waitFor } = query;
    return this.queries.execute(new GetRunEvents(params.runId, afterSeq, limit, waitFor));
  }

  @Handles(routes.addRunEvent)
  note(
    @Input() { params, headers, body }: InputOf<typeof routes.addRunEvent>,
    @RequestPrincipal() principal: Principal,
  ) {
    const key = headers['Idempotency-Key'] ?? null;
    return this.commands.execute(new ReportToRun(params.runId, reportedNote(body), key, principal));
  }

  @Handles(routes.bookRunUsage)
  usage(
    @Input() { params, headers, body }: InputOf<typeof routes.bookRunUsage>,
    @RequestPrincipal() principal: Principal,
  ) {
    const key = headers['Idempotency-Key'] ?? null;
    return this.commands.execute(new ReportToRun(params.runId, reportedUsage(body), key, principal));
  }

  @Handles(routes.readRunLog)
  async log(
    @Input() { params, query }: InputOf<typeof routes.readRunLog>,
    @Headers('accept') accept: string | undefined,
  ) {
    const { waitFor, ...page } = query;
    if (!prefersPlainText(accept ?? '')) {
      return this.queries.execute(new GetRunLog(params.runId, page, waitFor));
    }
    const { stream, offset } = page;
    const bytes = await this.queries.execute(new StreamRunLog(params.runId, stream, offset, waitFor));
    return new StreamableFile(Readable.from(bytes, { objectMode: false }), {
      type: 'text/plain; charset=utf-8',
    });
  }

  @Handles(reapRoutes.reapRuns)
  reap(@Input() { body }: InputOf<typeof reapRoutes.reapRuns>) {
    return this.commands.execute(new ReapRuns(body.staleThresholdMs));
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
