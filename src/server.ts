import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { Logger } from 'pino';
import { AppModule } from './app.module';
import { Gate } from './auth/gate';
import type { Config } from './config';
import { DataFolder } from './data-folder';
import { ProblemFilter } from './http/problem.filter';
import { WrittenInterceptor } from './http/written';
import { systemClock } from './kernel/clock';
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
 * @throws DataFolderInUse
 */
export async function startServer(
  config: Config,
  environmentForAgents: Record<string, string>,
  logger: Logger,
): Promise<RunningServer> {
  const folder = DataFolder.open(config.dataDir);
  const node = await Node.open(folder, config, environmentForAgents, systemClock, logger);
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
  const adapter = new FastifyAdapter({ bodyLimit: BODY_LIMIT_BYTES, forceCloseConnections: true });
  adapter.getInstance().addHook('onRequest', (request, reply, done) => {
    if (gate.check(request, reply)) done();
  });
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.of(node), adapter, {
    logger: false,
    abortOnError: false,
  });
  acceptEmptyBodies(app);
  app.useGlobalFilters(new ProblemFilter(logger));
  app.useGlobalInterceptors(new WrittenInterceptor());
  await app.init();
  return app;
}

/** `curl -X POST -H 'Content-Type: application/json'` without a body is a request with nothing to say, not a bad one. */
function acceptEmptyBodies(app: NestFastifyApplication): void {
  const strict = app.getHttpAdapter().getInstance().getDefaultJsonParser('error', 'error');
  app.useBodyParser('application/json', { bodyLimit: BODY_LIMIT_BYTES }, (request, body, done) => {
    if (body.length === 0) done(null, undefined);
    else void strict(request as never, body.toString('utf8'), done);
  });
}

function urlOf(host: string, { port }: AddressInfo): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
