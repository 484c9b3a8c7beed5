import { setMaxListeners } from 'node:events';
import type { OnModuleDestroy } from '@nestjs/common';
import type { OnGatewayConnection, OnGatewayInit } from '@nestjs/websockets';
import { Ack, ConnectedSocket, MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import type { Namespace, Socket } from 'socket.io';
import { Gate } from '../auth/gate';
import type { Principal } from '../auth/principal';
import { liveLimits } from '../http/limits';
import { parse } from '../http/parse';
import { domainErrorOf } from '../http/problem.filter';
import { DomainError } from '../kernel/errors';
import type { Follower } from './follower';
import { subscription, unsubscription } from './live.schemas';
import { roomOf } from './live-scope';
import type { LiveSink } from './live-sink';
import { LiveStreams } from './live-streams';
import { SocketCarrier } from './socket-carrier';

/** For clients to hear that the server is stopping. */
const LAST_WORDS_MS = 1_000;

/** What a socket has asked for. */
interface Session {
  principal: Principal;
  sink: LiveSink;
  /** By room. */
  followers: Map<string, Follower>;
}

type Answer = (answer: object) => void;

/** The live stream over Socket.IO. Owns its sockets: nobody else writes to them. */
@WebSocketGateway({ namespace: '/live' })
export class LiveGateway implements OnGatewayInit<Namespace>, OnGatewayConnection<Socket>, OnModuleDestroy {
  private readonly sessions = new WeakMap<Socket, Session>();
  private readonly principals = new WeakMap<Socket, Principal>();
  private readonly stopping = new AbortController();

  constructor(
    private readonly live: LiveStreams,
    private readonly gate: Gate,
  ) {
    // Each socket that is being closed listens to it.
    setMaxListeners(0, this.stopping.signal);
  }

  /** Before a socket is connected; guards do not stand before connections. */
  afterInit(namespace: Namespace): void {
    namespace.use((socket, next) => {
      const { token } = socket.handshake.auth as { token?: unknown };
      this.admit(socket, typeof token === 'string' ? token : undefined).then(
        (principal) => {
          this.principals.set(socket, principal);
          next();
        },
        (error: unknown) => {
          const refusal = domainErrorOf(error);
          this.gate.refused(refusal);
          next(Object.assign(new Error(refusal.code), { data: problemOf(refusal) }));
        },
      );
    });
  }

  handleConnection(socket: Socket): void {
    const principal = this.principals.get(socket);
    if (!principal) throw new Error('a socket has come in without a principal');
    const sink = this.live.openSink(new SocketCarrier(socket, this.stopping.signal), principal);
    socket.once('disconnect', () => sink.end());
    this.sessions.set(socket, { principal, sink, followers: new Map() });
  }

  @SubscribeMessage('subscribe')
  async subscribe(
    @ConnectedSocket() socket: Socket,
    @MessageBody() body: unknown,
    @Ack() ack: Answer = () => undefined,
  ): Promise<void> {
    try {
      const { position, follower } = await this.newFollower(this.sessionOf(socket), body);
      // What is told comes behind the answer.
      ack({ position });
      follower.start();
    } catch (error) {
      ack(this.refusalOf(error));
    }
  }

  @SubscribeMessage('unsubscribe')
  async unsubscribe(
    @ConnectedSocket() socket: Socket,
    @MessageBody() body: unknown,
    @Ack() ack: Answer = () => undefined,
  ): Promise<void> {
    try {
      const { companyId, agentId, runId } = parse(unsubscription, body ?? {});
      const { followers } = this.sessionOf(socket);
      const room = runId ?? agentId ?? companyId!;
      const follower = followers.get(room);
      follower?.stop();
      followers.delete(room);
      ack({ unsubscribed: follower !== undefined });
    } catch (error) {
      ack(this.refusalOf(error));
    }
  }

  async onModuleDestroy(): Promise<void> {
    await this.live.stop();
    setTimeout(() => this.stopping.abort(), LAST_WORDS_MS).unref();
  }

  /** A second subscription to the same thing takes the place of the first. */
  private async newFollower(
    { principal, sink, followers }: Session,
    body: unknown,
  ): Promise<{ position: string; follower: Follower }> {
    this.gate.limit(principal);
    const { after, ...wanted } = parse(subscription, body ?? {});
    const scope = await this.live.scopeOf(principal, wanted);
    const from = await this.live.begin(after);
    const room = roomOf(scope);
    const { subscriptionsPerSocket } = liveLimits;
    if (!followers.has(room) && followers.size >= subscriptionsPerSocket) {
      throw new DomainError('bad_request', `a socket has at most ${subscriptionsPerSocket} subscriptions`);
    }
    followers.get(room)?.stop();
    const follower = this.live.follow(scope, from, sink, () => followers.values());
    followers.set(room, follower);
    return { position: `${from.position}`, follower };
  }

  private async admit({ handshake }: Socket, token: string | undefined): Promise<Principal> {
    const principal = await this.gate.admit(handshake.headers, token);
    this.live.refuseTooMany(principal);
    return principal;
  }

  private refusalOf(error: unknown): object {
    const refusal = domainErrorOf(error);
    this.gate.refused(refusal);
    return problemOf(refusal);
  }

  private sessionOf(socket: Socket): Session {
    const session = this.sessions.get(socket);
    if (!session) throw new Error('a socket without a session');
    return session;
  }
}

/** How a refusal is answered: with the code of `docs/errors.md`. */
function problemOf({ code, message, details }: DomainError): object {
  return { error: code, message, ...details };
}
