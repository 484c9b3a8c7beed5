import 'reflect-metadata';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyReply } from 'fastify';
import type { Logger } from 'pino';
import type { Adapter } from './adapters/adapter';
import { AppModule } from './app.module';
import { AccessGuard } from './auth/access.guard';
import { Gate } from './auth/gate';
import { RateLimits } from './auth/rate-limits';
import { openBackends } from './backends';
import { AdaptersUnusable, loadAdapters } from './adapters/load-adapters';
import type { Config } from './config';
import { ConfigError } from './config';
import { DataFolder } from './data-folder';
import { limitedServer, protectAnswers } from './http/http-server';
import { acceptJsonOnly } from './http/json-body';
import { domainErrorOf, ProblemFilter, sendProblem } from './http/problem.filter';
import { requestIdOf } from './http/request-id';
import { observeRequests } from './http/request-log';
import { sendPositions } from './http/written';
import { systemClock, TestClock } from './kernel/clock';
import type { ErrorCode } from './kernel/errors';
import { LiveSocketAdapter } from './live/live-socket.adapter';
import { builtInAdapters, Node } from './node';

export interface RunningServer {
  url: string;
  adminToken: string;
  /** Claims nothing any more, and treats what is running as was configured. @param hurry ends the waiting */
  drain(hurry: AbortSignal): Promise<void>;
  /** What the router knows, as `GET /v1/runs/:runId`. */
  routes: readonly string[];
  /** Leaves running what is running. */
  close(): Promise<void>;
}

/** What a start may be given besides its configuration. */
export interface StartOptions {
  /** Breaks the start off. */
  stop?: AbortSignal;
  /** The kinds of agents that can be executed. */
  adapters?: readonly Adapter[];
}

/**
 * Starts a node with its HTTP face.
 *
 * @param open how its stores are opened: a test may put something between
 * @throws ConfigError, DataFolderInUse, StoreUnusable, and the abort reason when `stop` aborts meanwhile
 */
export async function startServer(
  config: Config,
  environmentForAgents: Record<string, string>,
  processLogger: Logger,
  open = openBackends,
  { stop = new AbortController().signal, adapters = builtInAdapters }: StartOptions = {},
): Promise<RunningServer> {
  const furtherAdapters = await adaptersOf(config, adapters);
  const folder = DataFolder.open(config.dataDir);
  const logger = processLogger.child({ nodeId: folder.nodeId });
  const clock = config.testClock ? new TestClock() : systemClock;
  const backends = await open(config, folder, logger, stop, clock).catch((error: unknown) => {
    folder.close();
    throw error;
  });
  const node = await Node.open(backends, folder, config, environmentForAgents, clock, logger, [
    ...adapters,
    ...furtherAdapters,
  ]);
  const { app, routes } = await createApp(
    node,
    new Gate({
      adminToken: config.auth === 'none' ? null : folder.adminToken,
      host: config.host,
      tokens: node.accessWatch.tokens,
      runTokens: node.runTokens,
      limits: new RateLimits({ perToken: config.rateLimit, perRun: config.runRateLimit }),
      onRefused: (code) => countRefusal(node, code),
    }),
    logger,
  );
  const close = async () => {
    await app.close();
    await node.stop();
    folder.close();
  };
  try {
    // Whoever can ask finds read models that are up to date.
    await node.startProcessing(stop);
    stop.throwIfAborted();
    await app.listen(config.port, config.host);
    const url = urlOf(config.host, app.getHttpServer().address() as AddressInfo);
    await node.startExecution(url, stop);
    return { url, adminToken: folder.adminToken, routes, drain: (hurry) => node.drain.run(hurry), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function adaptersOf({ adapters }: Config, known: readonly Adapter[]): Promise<Adapter[]> {
  try {
    return await loadAdapters(adapters, known);
  } catch (error) {
    if (!(error instanceof AdaptersUnusable)) throw error;
    throw new ConfigError(`--adapters: ${error.message}`);
  }
}

async function createApp(
  node: Node,
  gate: Gate,
  logger: Logger,
): Promise<{ app: NestFastifyApplication; routes: readonly string[] }> {
  const routes: string[] = [];
  const adapter = new FastifyAdapter({
    ...limitedServer,
    forceCloseConnections: true,
    // What the router refuses reaches no filter: a path that is too long, or cannot be decoded.
    frameworkErrors: (error: Error, _request: unknown, reply: FastifyReply) =>
      sendProblem(reply, domainErrorOf(error)),
    genReqId: ({ headers }: IncomingMessage) => requestIdOf(headers),
  });
  observeRequests(adapter.getInstance(), { logger, onRefused: (code) => countRefusal(node, code) });
  adapter.getInstance().addHook('onRequest', (request, reply, done) => {
    gate.check(request, reply).then((mayPass) => mayPass && done(), done);
  });
  sendPositions(adapter.getInstance());
  adapter.getInstance().addHook('onRoute', ({ method, url }) => {
    routes.push(...[method].flat().map((name) => `${name} ${url}`));
  });
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.of(node, gate), adapter, {
    logger: false,
    abortOnError: false,
  });
  acceptJsonOnly(app);
  app.useGlobalFilters(new ProblemFilter(logger));
  app.useGlobalGuards(new AccessGuard(node.directory));
  app.useWebSocketAdapter(new LiveSocketAdapter(app, gate));
  await app.init();
  protectAnswers(app.getHttpServer());
  return { app, routes };
}

function countRefusal({ metrics }: Node, code: ErrorCode): void {
  metrics.record({ name: 'reveille_refusals_total', labels: { code }, value: 1 });
}

function urlOf(host: string, { port }: AddressInfo): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
