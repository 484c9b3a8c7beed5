import type { IQueryHandler } from '@nestjs/cqrs';
import { Query, QueryHandler } from '@nestjs/cqrs';
import { Directory } from '../agents/directory';
import { DomainError } from '../kernel/errors';
import type { Position } from '../kernel/event';
import { Processing } from '../processing/processing';
import type { OutputStream } from './domain/run-log.events';
import type { RunDocument } from './projections/runs.projection';
import { runsProjection } from './projections/runs.projection';
import type { LogPage } from './run-log-reader';
import { RunLogReader } from './run-log-reader';
import { RunAnswers } from './run.queries';
import type { LogAnswer } from './runs.routes';
import { cutAtCharacters } from './whole-characters';

export class GetRunLog extends Query<LogAnswer> {
  constructor(
    readonly runId: string,
    readonly page: { stream?: OutputStream; offset: number; limitBytes: number },
    readonly waitFor: Position | null,
  ) {
    super();
  }
}

/** The bytes as they are, to the end of what is recorded now. */
export class StreamRunLog extends Query<AsyncGenerator<Buffer>> {
  constructor(
    readonly runId: string,
    readonly stream: OutputStream | undefined,
    readonly offset: number,
    readonly waitFor: Position | null,
  ) {
    super();
  }
}

@QueryHandler(GetRunLog)
export class GetRunLogHandler implements IQueryHandler<GetRunLog> {
  constructor(
    private readonly directory: Directory,
    private readonly processing: Processing,
    private readonly answers: RunAnswers,
    private readonly logs: RunLogReader,
  ) {}

  async execute({ runId, page, waitFor }: GetRunLog): Promise<LogAnswer> {
    await this.processing.waitForReader(waitFor, [runsProjection.name]);
    const { companyId } = await this.directory.run(runId);
    const { document } = await this.answers.one(runId);
    const found = await this.logs.read({ companyId, runId, ...page });
    refuseAgedOut(document, found);
    const { bytes, offset, totalBytes, endsAtGap, eof } = found;
    // A run that another node has ended has a log that nobody has closed.
    const isOver = eof || (document.finishedAt !== null && offset + bytes.length >= totalBytes);
    // What follows a character that was cut off by a gap is not recorded.
    const content = cutAtCharacters(bytes, isOver || endsAtGap);
    const nextOffset = offset + content.length;
    return { runId, content: content.toString('utf8'), offset, nextOffset, totalBytes, eof: isOver };
  }
}

@QueryHandler(StreamRunLog)
export class StreamRunLogHandler implements IQueryHandler<StreamRunLog> {
  constructor(
    private readonly directory: Directory,
    private readonly processing: Processing,
    private readonly answers: RunAnswers,
    private readonly logs: RunLogReader,
  ) {}

  async execute({ runId, stream, offset, waitFor }: StreamRunLog) {
    await this.processing.waitForReader(waitFor, [runsProjection.name]);
    const { companyId } = await this.directory.run(runId);
    const { document } = await this.answers.one(runId);
    refuseAgedOut(document, await this.logs.read({ companyId, runId, stream, offset, limitBytes: 1 }));
    return this.logs.stream({ companyId, runId, stream }, offset);
  }
}

/** A log that was empty is empty; one that is gone is not. @throws DomainError `log_aged_out` */
function refuseAgedOut({ log, finishedAt }: RunDocument, { isMissing }: LogPage): void {
  if (!isMissing || log === null || log.logBytes === 0) return;
  const { logBytes, logSha256, logs } = log;
  throw new DomainError('log_aged_out', undefined, { finishedAt, logBytes, logSha256, logs });
}
