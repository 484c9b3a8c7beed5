import { once } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as the agent got it. */
export interface ReceivedRequest {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

export type AgentBehaviour = (
  response: ServerResponse,
  request: ReceivedRequest,
  incoming: IncomingMessage,
) => unknown;

/** An agent that is reached by HTTP, on a free port of the loopback interface: a path is a way to behave. */
export class HttpAgent {
  readonly received: ReceivedRequest[] = [];
  private readonly behaviours = new Map<string, AgentBehaviour>();
  private readonly server = createServer(
    { keepAlive: false },
    ((incoming, response) => void this.answer(incoming, response)) as RequestListener,
  );

  static async start(): Promise<HttpAgent> {
    const agent = new HttpAgent();
    agent.server.listen(0, '127.0.0.1');
    await once(agent.server, 'listening');
    return agent;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Answers the URL under which the agent behaves like that. */
  on(path: string, behaviour: AgentBehaviour): string {
    this.behaviours.set(path, behaviour);
    return `${this.origin}${path}`;
  }

  requestsTo(path: string): ReceivedRequest[] {
    return this.received.filter((request) => request.path.split('?')[0] === path);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private async answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of incoming) parts.push(part as Buffer);
    const { method, url, headers } = incoming;
    const request = { method: method!, path: url!, headers, body: Buffer.concat(parts).toString() };
    this.received.push(request);
    const behaviour = this.behaviours.get(url!.split('?')[0]!);
    if (behaviour) await behaviour(response, request, incoming);
    else response.writeHead(404).end();
  }
}

/** Answers with JSON. */
export function json(value: unknown, status = 200): AgentBehaviour {
  return (response) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

/** Answers with pieces, each of which is sent on its own. */
export function pieces(contentType: string, parts: readonly (string | Buffer)[]): AgentBehaviour {
  return async (response) => {
    response.writeHead(200, { 'content-type': contentType });
    for (const part of parts) {
      await new Promise((resolve) => response.write(part, resolve));
      await new Promise((resolve) => setImmediate(resolve));
    }
    response.end();
  };
}
