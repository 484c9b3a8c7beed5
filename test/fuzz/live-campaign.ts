import { setTimeout as sleep } from 'node:timers/promises';
import type { Socket } from 'socket.io-client';
import { z } from 'zod';
import { errorCatalogue } from '../../src/kernel/errors';
import { subscription, unsubscription } from '../../src/live/live.schemas';
import type { JsonSchema, OpenApiDocument } from '../../src/openapi/openapi-document';
import type { Dice } from '../support/dice';
import { connectLive } from '../support/live-socket';
import type { TestServer } from '../support/server';
import { brokenBody } from './broken-json';
import type { Known } from './known';
import { oddText, oddValue } from './odd-values';
import { hintsFrom } from './request-maker';
import { SchemaValues } from './schema-values';

const DEADLINE_MS = 15_000;

const schemas: Readonly<Record<string, JsonSchema>> = {
  subscribe: z.toJSONSchema(subscription, { io: 'input' }),
  unsubscribe: z.toJSONSchema(unsubscription, { io: 'input' }),
};
const events = Object.keys(schemas);
const scopes = ['companyId', 'agentId', 'runId'];
const unknownEvents = ['message', 'Subscribe', '__proto__', 'constructor', 'live.closed', ''];

/** What is sent over the socket of the live stream, and must be acknowledged. */
export class LiveCampaign {
  readonly wrongs: string[] = [];
  /** How many were taken, and refused by which code. */
  readonly answers = new Map<string, number>();
  private readonly values: SchemaValues;

  constructor(
    private readonly server: Pick<TestServer, 'url' | 'token'>,
    private readonly known: Known,
    document: OpenApiDocument,
    private readonly dice: Dice,
  ) {
    this.values = new SchemaValues(document, hintsFrom(known));
  }

  async send(messages: number): Promise<void> {
    let live = await connectLive(this.server);
    for (let sent = 0; sent < messages; sent += 1) {
      // What is no Socket.IO at all costs the connection, and nothing else.
      if (!live.socket.connected) live = await connectLive(this.server);
      await this.sendOne(live.socket, this.dice.fork());
    }
    live.socket.close();
  }

  /** A client that behaves is still served. @returns how many messages it was told */
  async follow(): Promise<number> {
    const live = await connectLive(this.server);
    const answer = await live.ask('subscribe', { companyId: this.known.all('companyId')[0], after: '0' });
    if (typeof answer['position'] !== 'string') throw new Error(`no subscription: ${JSON.stringify(answer)}`);
    const deadline = Date.now() + DEADLINE_MS;
    while (live.messages.length === 0 && Date.now() < deadline) await sleep(20);
    live.socket.close();
    return live.messages.length;
  }

  private async sendOne(socket: Socket, dice: Dice): Promise<void> {
    const how = dice.upTo(20);
    if (how === 0) socket.emit(dice.oneOf(unknownEvents), oddValue(dice), oddText(dice));
    else if (how === 1)
      socket.io.engine.write(
        dice.oneOf([
          '2["subscribe"',
          '2{}',
          '51-["subscribe"]',
          'x',
          '2["subscribe",{"_placeholder":true,"num":9}]',
        ]),
      );
    else if (how === 2) socket.emit('subscribe', ...this.payload(dice));
    else await this.ask(socket, dice.oneOf(events), this.payload(dice));
  }

  private payload(dice: Dice): unknown[] {
    const schema = schemas[dice.oneOf(events)]!;
    const valid = this.values.valid(schema, dice);
    switch (dice.upTo(8)) {
      case 0:
        return [];
      case 1:
        return [oddValue(dice)];
      case 2:
        return [Buffer.from(oddText(dice))];
      case 3:
        return [valid, 'more', oddValue(dice)];
      case 4:
      case 5:
        return [parsed(brokenBody(valid, schema, this.values, dice).body)];
      default:
        return [this.oneScope(valid as Record<string, unknown>, dice)];
    }
  }

  /** Valid by itself would be any number of them. */
  private oneScope(valid: Record<string, unknown>, dice: Dice): object {
    const scope = dice.oneOf(scopes);
    const rest = Object.entries(valid).filter(([name]) => !scopes.includes(name));
    return Object.fromEntries([...rest, [scope, this.known.pick(scope, dice)]]);
  }

  private async ask(socket: Socket, event: string, payload: readonly unknown[]): Promise<void> {
    const answer = await Promise.race([
      new Promise<unknown>((resolve) => socket.emit(event, ...payload, resolve)),
      new Promise<'disconnected'>((resolve) => socket.once('disconnect', () => resolve('disconnected'))),
      sleep(DEADLINE_MS, 'no answer', { ref: false }),
    ]);
    socket.removeAllListeners('disconnect');
    const problem = wrongAnswer(answer);
    if (problem !== null)
      this.wrongs.push(`${event} ${JSON.stringify(payload)?.slice(0, 2_000)}: ${problem}`);
    const outcome = typeof answer === 'string' ? answer : ((answer as { error?: string }).error ?? 'taken');
    this.answers.set(outcome, (this.answers.get(outcome) ?? 0) + 1);
  }
}

function wrongAnswer(answer: unknown): string | null {
  if (answer === 'disconnected') return null;
  if (typeof answer !== 'object' || answer === null) return String(answer);
  const { error, message, position, unsubscribed } = answer as Record<string, unknown>;
  if (error === undefined) {
    return typeof (position ?? unsubscribed) === 'undefined'
      ? `it says nothing: ${JSON.stringify(answer)}`
      : null;
  }
  const isKnown = typeof error === 'string' && error !== 'internal' && error in errorCatalogue;
  return isKnown && typeof message === 'string' && message !== '' ? null : JSON.stringify(answer);
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return bytes.toString();
  }
}
