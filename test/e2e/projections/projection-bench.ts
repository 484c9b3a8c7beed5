import pino from 'pino';
import { openBackends } from '../../../src/backends';
import type { ConsumerAnswer, JobAnswer } from '../../../src/client';
import { environmentForAgents, readConfig } from '../../../src/config';
import type { Document, DocumentStore, Identified } from '../../../src/documents/document-store';
import type { StoredEvent } from '../../../src/kernel/event';
import { startServer } from '../../../src/server';
import { Gate } from '../../support/gate';
import { ObservedLog } from '../../support/observed-log';
import type { CommandOutput } from '../../support/reveille-process';
import { runCommand } from '../../support/reveille-process';
import type { TestServer } from '../../support/server';
import { apiOf, waitUntil } from '../../support/server';
import { temporaryFolder } from '../../support/temporary-folder';
import { worldSettings } from '../../support/world';
import { expectStatus, get } from '../http/client';

/** What goes wrong with the log. */
interface Faults {
  poisoned: Set<string>;
  gate: Gate | null;
}

/** A server whose stores the test can reach behind its back, and the command line that asks it. */
export class ProjectionBench {
  private constructor(
    readonly server: TestServer,
    readonly documents: DocumentStore,
    private readonly logged: string[],
    private readonly faults: Faults,
  ) {}

  /** @param poisoned see `poison`: from the start on */
  static async open(
    dataDir = temporaryFolder(),
    { maxRuns, poisoned = [] }: { maxRuns?: string; poisoned?: readonly string[] } = {},
  ): Promise<ProjectionBench> {
    const config = readConfig({ host: '127.0.0.1', port: '0', dataDir, maxRuns }, worldSettings(dataDir));
    const errors: string[] = [];
    const logger = pino({ level: 'error' }, { write: (line: string) => void errors.push(line) });
    const faults: Faults = { poisoned: new Set(poisoned), gate: null };
    let documents: DocumentStore | undefined;
    const running = await startServer(config, environmentForAgents(), logger, async (...args) => {
      const stores = await openBackends(...args);
      documents = stores.documents;
      const log = new ObservedLog(stores.log);
      log.onFollow = async function* (follow) {
        await faults.gate?.pass();
        for await (const { events, reached } of follow()) {
          yield { events: events.map((e) => (faults.poisoned.has(e.type) ? withoutData(e) : e)), reached };
        }
      };
      return { log, documents };
    });
    const { api, disconnect } = apiOf(running.url, running.adminToken);
    const close = async () => {
      disconnect();
      await running.close();
    };
    const server = { url: running.url, token: running.adminToken, dataDir, errors, api, close };
    return new ProjectionBench(server, documents!, errors, faults);
  }

  reveille(...args: string[]): Promise<CommandOutput> {
    const { url, dataDir } = this.server;
    return runCommand(['projections', ...args], { REVEILLE_URL: url, REVEILLE_DATA_DIR: dataDir });
  }

  /** What the server has logged as an error since it was asked last. */
  takeErrors(): string[] {
    return this.logged.splice(0);
  }

  async consumers(): Promise<ConsumerAnswer[]> {
    return (await get<{ items: ConsumerAnswer[] }>(this.server, '/v1/admin/projections')).items;
  }

  async consumer(name: string): Promise<ConsumerAnswer> {
    return (await this.consumers()).find((consumer) => consumer.name === name)!;
  }

  async start(kind: JobAnswer['kind'], name: string, body?: object): Promise<JobAnswer> {
    return expectStatus(
      await this.server.api<JobAnswer>('POST', `/v1/admin/projections/${name}/${kind}`, body),
      202,
    );
  }

  /** The job when it is over. */
  async over({ id }: JobAnswer): Promise<JobAnswer> {
    const look = async () => {
      const job = await get<JobAnswer>(this.server, `/v1/admin/jobs/${id}`);
      return job.finishedAt !== null && job;
    };
    return waitUntil(look, `job ${id} is over`, 60_000);
  }

  async perform(kind: JobAnswer['kind'], name: string, body?: object): Promise<JobAnswer> {
    return this.over(await this.start(kind, name, body));
  }

  /** The texts of all documents of a collection, by id. */
  async texts(collection: string): Promise<Map<string, string>> {
    const texts = new Map<string, string>();
    for (let after: string | null = null; ;) {
      const page: Identified<Document>[] = await this.documents.scan(collection, after, 500);
      for (const { id, document } of page) texts.set(id, JSON.stringify(document));
      if (page.length < 500) return texts;
      after = page.at(-1)!.id;
    }
  }

  /** Changes a document as nobody should: null removes it. */
  async tamper(
    collection: string,
    id: string,
    change: (document: Record<string, unknown> | null) => Document | null,
  ): Promise<void> {
    // Its projection may be about to write it once more.
    for (let isDone = false; !isDone;) {
      const stored = await this.documents.getVersioned<Record<string, unknown>>(collection, id);
      const document = change(stored?.document ?? null);
      isDone = await this.documents.compareAndSet(collection, id, stored?.version ?? null, document);
    }
  }

  /** Whoever begins to follow the log, as a rebuild does, gets nothing before this has been released. */
  holdFollowers(): Gate {
    this.faults.gate = new Gate();
    return this.faults.gate;
  }

  /** Ends what a start with `poisoned` has begun. */
  heal(type: string): void {
    this.faults.poisoned.delete(type);
  }

  /** From now on whoever follows the log gets events of the type without their data. Answers what ends that. */
  poison(type: string): () => void {
    this.faults.poisoned.add(type);
    return () => void this.faults.poisoned.delete(type);
  }
}

function withoutData(event: StoredEvent): StoredEvent {
  return { ...event, data: 'null' };
}
