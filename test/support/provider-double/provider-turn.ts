/** Tokens of one model call; `inputTokens` without those of the cache. */
export interface TurnUsage {
  inputTokens: number;
  outputTokens: number;
  /** Read from a cache. */
  cachedInputTokens?: number;
  /** Written to a cache, for five minutes. */
  cacheWriteTokens?: number;
}

/** What a model answers to one request. */
export type ProviderTurn = AnsweredTurn | RefusedTurn;

export interface AnsweredTurn {
  text?: string;
  /** Asks the agent to use one of its tools. */
  tool?: { name: string; input: Record<string, unknown> };
  usage: TurnUsage;
  /** Sends the beginning and then nothing, until the client hangs up. */
  stalls?: boolean;
}

export interface RefusedTurn {
  status: number;
  message: string;
  headers?: Record<string, string>;
}

/** A request for an answer of the model, as a client has sent it. */
export interface ProviderRequest {
  path: string;
  /** The model that it asks for. */
  model: string;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: Record<string, unknown>;
}

/** The texts of a stream of server-sent events, in pieces: between two pieces the stream may stall. */
export interface RenderedStream {
  beginning: string;
  rest: string;
}

/** How one provider puts an answer. */
export interface ProviderProtocol {
  /** Whether a request of this path asks the model for an answer. */
  matches(path: string): boolean;
  /** null: as the body says. */
  modelOf(path: string, body: Record<string, unknown>): string;
  wantsStream(path: string, body: Record<string, unknown>): boolean;
  stream(turn: AnsweredTurn, model: string, id: string): RenderedStream;
  whole(turn: AnsweredTurn, model: string, id: string): unknown;
  refusal(turn: RefusedTurn): unknown;
}

/** Server-sent events with names. */
export function namedEvents(events: readonly { type: string }[]): string {
  return events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join('');
}

/** Server-sent events without names. */
export function plainEvents(events: readonly unknown[]): string {
  return events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('');
}
