import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CommandOutput, ReveilleProcess, RunningCommand } from '../support/reveille-process';
import { startCommand, startReveille } from '../support/reveille-process';

const REQUEST_TIMEOUT_MS = 20_000;

/** Nobody knows whether the server has done what it was asked for. */
export class Unanswered extends Error {}

export interface Answer<Body> {
  status: number;
  contentType: string;
  body: Body;
  bytes: Buffer;
}

/** A server process over one data folder, that is killed and started again; and the requests to whichever there is. */
export class KillableServer {
  private process: ReveilleProcess | null = null;

  constructor(
    readonly dataDir: string,
    private readonly flags: readonly string[] = [],
  ) {}

  get pid(): number {
    return this.running.pid;
  }

  get url(): string {
    return this.running.url;
  }

  /** What it has written to its own log since its start. */
  get ownLog(): string {
    return this.running.stderr();
  }

  async start(): Promise<void> {
    this.process = await startReveille(['--data-dir', this.dataDir, ...this.flags]);
  }

  /** A start that nobody waits for. */
  begin(): RunningCommand {
    return startCommand(['serve', '--port', '0', '--data-dir', this.dataDir, ...this.flags]);
  }

  signal(signal: NodeJS.Signals): void {
    this.running.kill(signal);
  }

  /** Sends the signal, and waits until the process is gone. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<CommandOutput> {
    const ended = this.running;
    ended.kill(signal);
    this.process = null;
    return ended.exit;
  }

  /** @throws Unanswered */
  async api<Body>(
    method: string,
    path: string,
    body?: object,
    accept = 'application/json',
  ): Promise<Answer<Body>> {
    if (!this.process) throw new Unanswered('there is no server');
    const token = readFileSync(join(this.dataDir, 'admin-token'), 'utf8').trim();
    const headers = { authorization: `Bearer ${token}`, accept, 'content-type': 'application/json' };
    try {
      const response = await fetch(new URL(path, this.process.url), {
        method,
        headers,
        body: body && JSON.stringify(body),
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      });
      const bytes = Buffer.from(await response.arrayBuffer());
      const contentType = response.headers.get('content-type') ?? '';
      const parsed = /\bjson\b/.test(contentType) ? (JSON.parse(bytes.toString()) as Body) : (null as Body);
      return { status: response.status, contentType, body: parsed, bytes };
    } catch (error) {
      throw new Unanswered(`${method} ${path} was not answered`, { cause: error });
    }
  }

  /** @throws Error where the answer is another status. */
  async expect<Body>(status: number, method: string, path: string, body?: object): Promise<Body> {
    const answer = await this.api<Body>(method, path, body);
    if (answer.status === status) return answer.body;
    throw new Error(`${method} ${path}: expected ${status}, got ${answer.status} ${answer.bytes.toString()}`);
  }

  get<Body>(path: string): Promise<Body> {
    return this.expect<Body>(200, 'GET', path);
  }

  /** All items, page by page. */
  async list<Item>(path: string): Promise<Item[]> {
    const items: Item[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const query: string = `limit=200${cursor && `&cursor=${encodeURIComponent(cursor)}`}`;
      const page: { items: Item[]; nextCursor: string | null } = await this.get(
        `${path}${path.includes('?') ? '&' : '?'}${query}`,
      );
      items.push(...page.items);
      cursor = page.nextCursor;
    }
    return items;
  }

  private get running(): ReveilleProcess {
    if (!this.process) throw new Error('there is no server');
    return this.process;
  }
}
