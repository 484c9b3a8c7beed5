import { setTimeout as sleep } from 'node:timers/promises';
import type { OpenApiDocument } from '../../src/openapi/openapi-document';
import { Dice } from '../support/dice';
import type { TestServer } from '../support/server';
import { WireFault } from './answer-reader';
import type { FuzzRequest } from './fuzz-request';
import { bytesOf, curlLine } from './fuzz-request';
import type { FuzzWorld } from './fuzz-world';
import { openWorld } from './fuzz-world';
import { bodyOf, Judge } from './judge';
import { Known } from './known';
import { RequestMaker } from './request-maker';
import type { WireAnswer } from './wire';
import { Wire } from './wire';

/** Generous: the machine may be busy, and a read of the whole log takes its time. */
const DEADLINE_MS = 30_000;
const AT_ONCE = 6;

/** Who is told to come again does so. */
const MAX_ATTEMPTS = 4;

const MAX_LINE = 2_500;

/** Whether a request may have changed something, and of one that may not the line that sends it again. */
type Verdict = { wasAccepted: true } | { wasAccepted: false; line: string };

/** By the id that a request had with the server. Tens of thousands, of which some have large bodies: lines are all that is kept. */
export type Verdicts = ReadonlyMap<string, Verdict>;

/** Requests by the thousand against one server, and what was wrong with the answers. */
export class Campaign {
  /** Each with a line that sends the request again. */
  readonly wrongs: string[] = [];
  /** How many there were of each status; 0: the connection was closed without a word. */
  readonly statuses = new Map<number, number>();
  slowestMs = 0;
  private readonly judged = new Map<string, Verdict>();
  private readonly wire: Wire;
  private readonly maker: RequestMaker;
  private sent = 0;

  private constructor(
    private readonly server: TestServer,
    private readonly document: OpenApiDocument,
    readonly known: Known,
    readonly world: FuzzWorld,
    private readonly judge: Judge,
    private readonly dice: Dice,
  ) {
    const { hostname, port } = new URL(server.url);
    this.wire = new Wire(hostname, Number(port));
    const { senders, recipes } = world;
    this.maker = new RequestMaker(document, known, senders, recipes, () => judge.succeeded);
  }

  /** @param seed the same one throws the same dice; ids and timing are the server's */
  static async begin(server: TestServer, seed: number): Promise<Campaign> {
    const { body: document } = await server.api<OpenApiDocument>('GET', '/openapi.json');
    const [known, dice] = [new Known(document), new Dice(seed)];
    const world = await openWorld(server, known, dice.fork());
    return new Campaign(server, document, known, world, new Judge(document), dice);
  }

  get verdicts(): Verdicts {
    return this.judged;
  }

  /** The routes that have not answered a single request with 2xx. */
  get neverSucceeded(): string[] {
    const { succeeded } = this.judge;
    return this.maker.routes.map(({ id }) => id).filter((id) => !succeeded.has(id));
  }

  /** Several at once. Which dice a request is thought up with depends on its number alone. */
  async send(requests: number): Promise<void> {
    const until = this.sent + requests;
    const worker = async () => {
      while (this.sent < until) {
        this.sent += 1;
        const [number, dice] = [this.sent, this.dice.fork()];
        await this.try(this.maker.next(number, dice));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  }

  async end(): Promise<void> {
    this.wire.close();
    await this.world.close();
  }

  private async try(request: FuzzRequest): Promise<void> {
    const { hostname, port } = new URL(this.server.url);
    const how = { isLast: request.isUnframed, isHead: request.method === 'HEAD', deadlineMs: DEADLINE_MS };
    try {
      for (let attempt = 1; ; attempt += 1) {
        const answer = await this.wire.exchange(bytesOf(request, `${hostname}:${port}`), how);
        if (attempt === MAX_ATTEMPTS || !isToBeAskedAgain(answer)) return this.note(request, answer);
        await sleep(Number(answer.headers['retry-after']) * 1_000);
      }
    } catch (error) {
      if (!(error instanceof WireFault)) throw error;
      this.blame(request, error.message);
    }
  }

  private note(request: FuzzRequest, answer: WireAnswer | null): void {
    const status = answer?.status ?? 0;
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
    this.slowestMs = Math.max(this.slowestMs, answer?.ms ?? 0);
    for (const wrong of this.judge.wrongs(request, answer)) this.blame(request, wrong);
    const id = answer?.headers['x-request-id'];
    if (answer === null || (request.isUnframed && id === undefined)) {
      // What stood before the fault may have been taken, and nobody was left to be told.
      this.judged.set(`fuzz-${request.number}`, { wasAccepted: true });
      return;
    }
    const wasAccepted = status < 300;
    // Several requests may go by one id.
    if (typeof id === 'string' && this.judged.get(id)?.wasAccepted !== true)
      this.judged.set(id, wasAccepted ? { wasAccepted } : { wasAccepted, line: this.lineOf(request) });
    if (wasAccepted) this.learn(request, answer);
  }

  private learn({ operationId }: FuzzRequest, answer: WireAnswer): void {
    const route = this.maker.routes.find(({ id }) => id === operationId);
    const response = route?.operation.responses[answer.status];
    const schema =
      response && 'content' in response ? response.content?.['application/json']?.schema : undefined;
    if (schema) this.known.learn(bodyOf(answer), schema);
    const position = answer.headers['reveille-position'];
    if (typeof position === 'string') this.known.add('position', position);
  }

  private blame(request: FuzzRequest, wrong: string): void {
    const { number, operationId, kind } = request;
    this.wrongs.push(
      `#${number} ${operationId ?? 'no route'} (${kind}): ${wrong}\n  ${this.lineOf(request)}`,
    );
  }

  private lineOf(request: FuzzRequest): string {
    const line = curlLine(request, this.server.url);
    return line.length <= MAX_LINE ? line : `${line.slice(0, MAX_LINE)}… (${line.length} characters)`;
  }
}

/** Not a fault: what was asked about has only just begun, and the answer says when to come back. */
function isToBeAskedAgain(answer: WireAnswer | null): answer is WireAnswer {
  if (answer?.status !== 503 || answer.headers['retry-after'] === undefined) return false;
  return (bodyOf(answer) as { code?: string } | null)?.code === 'not_caught_up';
}
