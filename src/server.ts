import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyReply } from 'fastify';
import type { Logger } from 'pino';
import { AppModule } from './app.module';
import { Gate } from './auth/gate';
import { openBackends } from './backends';
import type { Config } from './config';
import { DataFolder } from './data-folder';
import { domainErrorOf, ProblemFilter, sendProblem } from './http/problem.filter';
import { WrittenInterceptor } from './http/written';
import { systemClock, TestClock } from './kernel/clock';
import { Node } from './node';

/** A wakeup, payload and context included, must fit into one append (1 MiB at the smallest backend). */
const BODY_LIMIT_BYTES = 512 * 1024;

export interface RunningServer {
  url: string;
  adminToken: string;
  close(): Promise<void>;
}

/**
 * Starts a node with its HTTP face.
 *
 * @param open how its stores are opened: a test may put something between
 * @throws DataFolderInUse
 */
export async function startServer(
  config: Config,
  environmentForAgents: Record<string, string>,
  logger: Logger,
  open = openBackends,
): Promise<RunningServer> {
  const folder = DataFolder.open(config.dataDir);
  const node = await Node.open(
    await open(config, folder),
    folder,
    config,
    environmentForAgents,
    config.testClock ? new TestClock() : systemClock,
    logger,
  );
  const app = await createApp(
    node,
    new Gate(config.auth === 'none' ? null : folder.adminToken, config.host),
    logger,
  );
  const close = async () => {
    await app.close();
    await node.stop();
    folder.close();
  };
  try {
    // Whoever can ask finds read models that are up to date.
    await node.startProcessing();
    await app.listen(config.port, config.host);
    const url = urlOf(config.host, app.getHttpServer().address() as AddressInfo);
    await node.startExecution(url);
    return { url, adminToken: folder.adminToken, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function createApp(node: Node, gate: Gate, logger: Logger): Promise<NestFastifyApplication> {
  const adapter = new FastifyAdapter({
    bodyLimit: BODY_LIMIT_BYTES,
    forceCloseConnections: true,
    // A name that is too long is to be refused by whoever knows names, with a problem document.
    routerOptions: { maxParamLength: 2_000 },
    // What the router refuses reaches no filter: a path that is too long, or cannot be decoded.
    frameworkErrors: (error: Error, _request: unknown, reply: FastifyReply) =>
      sendProblem(reply, domainErrorOf(error)),
  });
  adapter.getInstance().addHook('onRequest', (request, reply, done) => {
    if (gate.check(request, reply)) done();
  });
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.of(node), adapter, {
    logger: false,
    abortOnError: false,
  });
  acceptJsonOnly(app);
  app.useGlobalFilters(new ProblemFilter(logger));
  app.useGlobalInterceptors(new WrittenInterceptor());
  await app.init();
  return app;
}

/**
 * JSON, under the names that it goes by. `curl -X POST -H 'Content-Type: application/json'` without a body is a request
 * with nothing to say, not a bad one.
 */
function acceptJsonOnly(app: NestFastifyApplication): void {
  const fastify = app.getHttpAdapter().getInstance();
  fastify.removeContentTypeParser('text/plain');
  const strict = fastify.getDefaultJsonParser('error', 'error');
  for (const type of ['application/json', 'application/merge-patch+json']) {
    app.useBodyParser(type, { bodyLimit: BODY_LIMIT_BYTES }, (request, body, done) => {
      if (body.length === 0) done(null, undefined);
      else void strict(request as never, body.toString('utf8'), done);
    });
  }
}

function urlOf(host: string, { port }: AddressInfo): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
