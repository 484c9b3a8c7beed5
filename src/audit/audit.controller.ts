import { Readable } from 'node:stream';
import { Controller, Headers, StreamableFile } from '@nestjs/common';
import { Directory } from '../agents/directory';
import { Handles, Input } from '../http/handles';
import type { InputOf } from '../http/route';
import { Written } from '../http/written';
import { DomainError } from '../kernel/errors';
import { BEFORE_FIRST_POSITION } from '../kernel/event';
import { AsOf } from './as-of';
import { Audit } from './audit';
import type { AsOfAnswer, KeysAnswer, VerificationAnswer, WhyAnswer } from './audit.routes';
import { auditRoutes as routes } from './audit.routes';
import { RunBundle } from './bundle';
import type { Subject } from './why';
import { Why } from './why';

const NDJSON = 'application/x-ndjson';

@Controller()
export class AuditController {
  constructor(
    private readonly audit: Audit,
    private readonly directory: Directory,
    private readonly asOf: AsOf,
    private readonly why: Why,
    private readonly bundles: RunBundle,
  ) {}

  @Handles(routes.getAuditKey)
  async key(): Promise<KeysAnswer> {
    const keys = await this.audit.keys();
    const own = keys.find(({ keyId }) => keyId === this.audit.key.keyId)!;
    return { ...own, others: keys.filter((key) => key !== own) };
  }

  @Handles(routes.signCheckpoint)
  async sign() {
    const last = await this.audit.coverAll();
    if (!last) throw new DomainError('log_empty');
    const { position, number, hash } = last;
    return new Written({ number, sha256: hash }, position);
  }

  @Handles(routes.verifyLog)
  async verify(
    @Input() { query }: InputOf<typeof routes.verifyLog>,
    @Headers('accept') accept: string | undefined,
  ): Promise<VerificationAnswer | StreamableFile> {
    const { after = '0', ...part } = query;
    if (part.companyId !== undefined) await this.directory.company(part.companyId);
    const stopped = new AbortController();
    const steps = await this.audit.verify(part, BigInt(after), stopped.signal);
    if (accept?.includes(NDJSON)) return ndjson(steps, stopped);
    for await (const step of steps) if (step.kind === 'result') return step.result;
    throw new Error('a verification has ended without a result');
  }

  @Handles(routes.exportCompany)
  async export(@Input() { query }: InputOf<typeof routes.exportCompany>): Promise<StreamableFile> {
    const { companyId, after = '0' } = query;
    await this.directory.company(companyId);
    const stopped = new AbortController();
    return ndjson(await this.audit.export(companyId, BigInt(after), stopped.signal), stopped);
  }

  @Handles(routes.getStateAsOf)
  async state(@Input() { query }: InputOf<typeof routes.getStateAsOf>): Promise<AsOfAnswer> {
    const { agentId, runId, companyId, groupBy, at = null } = query;
    const position = query.position === undefined ? null : BigInt(query.position);
    await this.audit.refusePastHead(position ?? BEFORE_FIRST_POSITION);
    const moment = { position, at };
    const nothing = { agent: null, runtimeState: null, run: null, spend: null };
    if (agentId !== undefined) {
      const { state, ...place } = await this.asOf.agent(await this.directory.agent(agentId), moment);
      return { ...nothing, ...place, ...state };
    }
    if (runId !== undefined) {
      const { state, ...place } = await this.asOf.run(await this.directory.run(runId), moment);
      return { ...place, ...nothing, run: state };
    }
    await this.directory.company(companyId!);
    const { state, ...place } = await this.asOf.spend(companyId!, moment, groupBy);
    return { ...place, ...nothing, spend: state };
  }

  @Handles(routes.explainWhy)
  async explain(@Input() { query }: InputOf<typeof routes.explainWhy>): Promise<WhyAnswer> {
    const subject = await this.subjectOf(query);
    return { ...subject, steps: await this.why.of(subject, new AbortController().signal) };
  }

  @Handles(routes.bundleRun)
  async bundle(@Input() { params }: InputOf<typeof routes.bundleRun>): Promise<StreamableFile> {
    const address = await this.directory.run(params.runId);
    const stopped = new AbortController();
    return ndjson(this.bundles.lines(address, stopped.signal), stopped);
  }

  private async subjectOf({ runId, wakeupId }: { runId?: string; wakeupId?: string }): Promise<Subject> {
    if (runId !== undefined) return { ...(await this.directory.run(runId)), wakeupId: null };
    const { companyId, agentId, runId: its, id } = await this.directory.wakeup(wakeupId!);
    return { companyId, agentId, runId: its, wakeupId: id };
  }
}

/** @param stopped is aborted when nobody reads any more */
function ndjson(lines: AsyncIterable<object>, stopped: AbortController): StreamableFile {
  const texts = (async function* () {
    for await (const line of lines) yield `${JSON.stringify(line)}\n`;
  })();
  const stream = Readable.from(texts);
  stream.once('close', () => stopped.abort(new Error('nobody reads any more')));
  return new StreamableFile(stream, { type: NDJSON });
}
