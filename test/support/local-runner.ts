import { join } from 'node:path';
import { AdapterRegistry } from '../../src/adapters/adapter';
import { httpAdapter } from '../../src/adapters/http/http-adapter';
import { processAdapter } from '../../src/adapters/process/process-adapter';
import type { EndCause } from '../../src/agents/domain/agent.events';
import { EmbeddedEventLog } from '../../src/event-log/embedded/embedded-event-log';
import type { EventLog } from '../../src/event-log/event-log';
import { chainHash, CHAIN_START } from '../../src/kernel/chain';
import { systemClock } from '../../src/kernel/clock';
import type { StoredEvent } from '../../src/kernel/event';
import { uuidv7 } from '../../src/kernel/ids';
import { runLogStream, runStream } from '../../src/kernel/streams';
import type { RunEventData } from '../../src/runs/domain/run.events';
import { decodeLogChunk } from '../../src/runs/domain/run-log.events';
import type { OutputStream } from '../../src/runs/domain/run-log.events';
import { LocalRunner } from '../../src/runner/local-runner';
import type { ClaimedRun, RunAuthority, RunOutcome } from '../../src/runner/run-authority';
import { RunEventWriter } from '../../src/runner/run-event-writer';
import type { SecretSource } from '../../src/runner/run-secrets';
import type { RunnerDeps } from '../../src/runner/runner-deps';

const silent = () => undefined;
export const silentLogger = { info: silent, warn: silent, error: silent };

/** Grants every ending and keeps what it is told. */
export class RecordingAuthority implements RunAuthority {
  readonly endings: { runId: string; cause: EndCause }[] = [];
  readonly outcomes = new Map<string, RunOutcome>();

  async requestEnd({ runId }: ClaimedRun, cause: EndCause): Promise<EndCause | null> {
    this.endings.push({ runId, cause });
    return cause;
  }

  async finish({ runId }: ClaimedRun, outcome: RunOutcome): Promise<void> {
    this.outcomes.set(runId, outcome);
  }
}

export const NODE_ID = 'node-1';

/** What the node of the bench has said last, in the life before this one and in this one. */
export const LEASES = {
  former: { renewedAt: '2026-03-01T10:00:00.000Z', backBy: '2026-03-01T10:05:00.000Z' },
  present: { renewedAt: '2026-03-01T10:02:00.000Z', backBy: null },
};

/** Companies without secrets. */
const noSecrets: SecretSource = {
  value: () => Promise.resolve(null),
  seal: (text) => text,
  unseal: (sealed) => sealed,
};

/** A run as a node has claimed it, of the `process` adapter. */
export function claimedRun(config: Record<string, unknown>, more: Partial<ClaimedRun> = {}): ClaimedRun {
  return {
    companyId: uuidv7(),
    agentId: uuidv7(),
    runId: uuidv7(),
    claimId: uuidv7(),
    nodeId: NODE_ID,
    attempt: 1,
    invocationSource: 'on_demand',
    taskKey: null,
    adapterType: 'process',
    adapterConfig: config,
    context: {},
    sessionId: null,
    limits: { timeoutSec: 0, silenceTimeoutSec: 0, graceSec: 5, logQuotaBytes: 256 * 1024 * 1024 },
    startedAt: new Date().toISOString(),
    endCause: null,
    correlationId: uuidv7(),
    ...more,
  };
}

/** A run of a shell script. */
export function scriptRun(script: string, more: Partial<ClaimedRun> = {}): ClaimedRun {
  return claimedRun({ command: 'sh', args: ['-c', script] }, more);
}

export function runnerDeps(folder: string, log: EventLog, authority: RunAuthority): RunnerDeps {
  return {
    log,
    authority,
    adapters: new AdapterRegistry([processAdapter, httpAdapter]),
    clock: systemClock,
    secrets: noSecrets,
    runToken: ({ runId }) => `~token.of-${runId}.signed-by-nobody`,
    prices: () => Promise.resolve([]),
    nodeId: NODE_ID,
    lease: (life) => LEASES[life],
    runsFolder: join(folder, 'runs'),
    workspacesFolder: join(folder, 'workspaces'),
    environment: { PATH: process.env.PATH ?? '/usr/bin:/bin', LANG: 'C.UTF-8' },
    apiUrl: () => 'http://127.0.0.1:7717',
    http: { allowsPrivateAddresses: true, maxAnswerBytes: 1024 * 1024 * 1024 },
    logger: silentLogger,
  };
}

/** The first event of a run's stream, which is there before the run is claimed. */
export async function queueRun(log: EventLog, run: ClaimedRun): Promise<void> {
  const actor = { type: 'system', id: 'execution' } as const;
  const origin = {
    correlationId: run.correlationId,
    causationId: null,
    commandId: run.runId,
    actor,
    nodeId: NODE_ID,
  };
  const writer = new RunEventWriter(
    { log, clock: systemClock },
    { run, origin },
    new AbortController().signal,
  );
  await writer.append({ eventType: 'lifecycle', message: 'run queued' });
}

/** One server's worth of runner on an embedded log in a folder, and what can be seen of it. */
export class RunnerBench {
  readonly authority = new RecordingAuthority();
  runner: LocalRunner;

  private constructor(
    readonly folder: string,
    readonly log: EmbeddedEventLog,
  ) {
    this.runner = this.newRunner();
  }

  static async open(folder: string): Promise<RunnerBench> {
    return new RunnerBench(folder, await EmbeddedEventLog.open(join(folder, 'log')));
  }

  /** What a restart of the server is to the runner. */
  async restart(): Promise<void> {
    await this.runner.close();
    this.runner = this.newRunner();
  }

  async start(run: ClaimedRun): Promise<void> {
    await queueRun(this.log, run);
    this.runner.start(run);
  }

  async execute(run: ClaimedRun): Promise<RunOutcome> {
    await this.start(run);
    return this.outcomeOf(run);
  }

  async adopt(run: ClaimedRun): Promise<RunOutcome> {
    this.runner.adopt(run);
    return this.outcomeOf(run);
  }

  async outcomeOf({ runId }: ClaimedRun): Promise<RunOutcome> {
    await this.runner.idle();
    const outcome = this.authority.outcomes.get(runId);
    if (!outcome) throw new Error(`run ${runId} was not finished`);
    return outcome;
  }

  /** Comes back once the agent has written `text`, with what it has written. */
  async untilOutput(run: ClaimedRun, text: string): Promise<string> {
    let output = '';
    return this.untilEvent(runLogStream(run.companyId, run.runId), (event) => {
      if (event.type === 'LogChunked')
        output += Buffer.from(decodeLogChunk(event.data as Uint8Array).bytes).toString();
      return output.includes(text) ? output : undefined;
    });
  }

  /** Follows one stream from its start until `pick` answers. */
  async untilEvent<T>(stream: string, pick: (event: StoredEvent) => T | undefined): Promise<T> {
    const following = new AbortController();
    try {
      for await (const { events } of this.log.follow({ after: 0n, signal: following.signal })) {
        for (const event of events) {
          const picked = event.stream === stream ? pick(event) : undefined;
          if (picked !== undefined) return picked;
        }
      }
      throw new Error('the log has ended');
    } finally {
      following.abort();
    }
  }

  /** The run's stream, and a check that its chain and its numbers hold. */
  async events(run: ClaimedRun): Promise<RunEventData[]> {
    const stored = await this.chained(runStream(run.companyId, run.runId));
    return stored.map(({ data }) => JSON.parse(data as string) as RunEventData);
  }

  /** What is on the log of a stream's bytes, and a check that offsets, chain and the combined order hold. */
  async output(run: ClaimedRun): Promise<Record<OutputStream, Buffer> & { combined: Buffer }> {
    const parts: Record<OutputStream, Buffer[]> = { stdout: [], stderr: [] };
    const combined: Buffer[] = [];
    const length = (buffers: Buffer[]) => buffers.reduce((sum, buffer) => sum + buffer.length, 0);
    for (const event of await this.chained(runLogStream(run.companyId, run.runId))) {
      if (event.type !== 'LogChunked') continue;
      const { header, bytes } = decodeLogChunk(event.data as Uint8Array);
      const other = header.stream === 'stdout' ? 'stderr' : 'stdout';
      expect(header).toMatchObject({
        offset: length(parts[header.stream]),
        otherOffset: length(parts[other]),
        logOffset: length(combined),
        length: bytes.length,
      });
      parts[header.stream].push(Buffer.from(bytes));
      combined.push(Buffer.from(bytes));
    }
    return {
      stdout: Buffer.concat(parts.stdout),
      stderr: Buffer.concat(parts.stderr),
      combined: Buffer.concat(combined),
    };
  }

  async close(): Promise<void> {
    await this.runner.close();
    await this.log.close();
  }

  private async chained(stream: string): Promise<StoredEvent[]> {
    const stored: StoredEvent[] = [];
    let previous = CHAIN_START;
    for await (const event of this.log.read(stream)) {
      expect(event.revision).toBe(stored.length);
      previous = chainHash(previous, {
        type: event.type,
        id: event.id,
        at: event.metadata.at,
        data: event.data,
      });
      expect(event.metadata.hash).toBe(previous);
      stored.push(event);
    }
    return stored;
  }

  private newRunner(): LocalRunner {
    return new LocalRunner(runnerDeps(this.folder, this.log, this.authority));
  }
}
