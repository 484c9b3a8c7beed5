import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { anthropicMessages } from './anthropic-messages';
import { googleGenerateContent } from './google-generate-content';
import { openaiChat } from './openai-chat';
import { openaiResponses } from './openai-responses';
import type { AnsweredTurn, ProviderProtocol, ProviderRequest, ProviderTurn } from './provider-turn';

const protocols: readonly ProviderProtocol[] = [
  anthropicMessages,
  openaiResponses,
  googleGenerateContent,
  openaiChat,
];

/** Decides what the model answers; `nth` counts requests from 0. */
export type Model = (request: ProviderRequest, nth: number) => ProviderTurn;

/**
 * A provider of models on the loopback interface, good enough for the real programs: it answers in the protocol in
 * which it is asked, and says what it is told to.
 */
export class ProviderDouble {
  readonly requests: ProviderRequest[] = [];
  /** Requests for anything but an answer of the model, as `GET /v1/models`. */
  readonly others: string[] = [];
  private readonly server = createServer({ keepAlive: false }, (incoming, response) => {
    void this.answer(incoming, response);
  });
  private model: Model;

  private constructor(model: Model) {
    this.model = model;
  }

  static async start(model: Model): Promise<ProviderDouble> {
    const double = new ProviderDouble(model);
    double.server.listen(0, '127.0.0.1');
    await once(double.server, 'listening');
    return double;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** From now on; requests are counted from 0 again. */
  answerWith(model: Model): void {
    this.requests.length = 0;
    this.model = model;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private async answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of incoming) parts.push(part as Buffer);
    const path = incoming.url!.split('?')[0]!;
    const protocol = protocols.find((candidate) => candidate.matches(path));
    if (incoming.method !== 'POST' || !protocol) {
      this.others.push(`${incoming.method} ${path}`);
      sendJson(response, 404, { error: { type: 'not_found_error', message: 'not found' } });
      return;
    }
    const body = JSON.parse(Buffer.concat(parts).toString()) as Record<string, unknown>;
    const request = { path, model: protocol.modelOf(path, body), headers: incoming.headers, body };
    const nth = this.requests.push(request) - 1;
    const turn = this.model(request, nth);
    if ('status' in turn) sendJson(response, turn.status, protocol.refusal(turn), turn.headers);
    else await sendTurn(response, protocol, turn, request, `${nth}${Date.now()}`);
  }
}

async function sendTurn(
  response: ServerResponse,
  protocol: ProviderProtocol,
  turn: AnsweredTurn,
  { path, model, body }: ProviderRequest,
  id: string,
): Promise<void> {
  if (!protocol.wantsStream(path, body)) {
    if (!turn.stalls) sendJson(response, 200, protocol.whole(turn, model, id));
    return;
  }
  const { beginning, rest } = protocol.stream(turn, model, id);
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  await new Promise((resolve) => response.write(beginning, resolve));
  if (!turn.stalls) response.end(rest);
}

function sendJson(response: ServerResponse, status: number, value: unknown, headers = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
}
