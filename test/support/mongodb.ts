import type { ChildProcess } from 'node:child_process';
import { spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { eventually } from './eventually';
import { databaseUrl } from './world';

/** Built by `test/support/mongo-wire/build.mjs`. */
const MONGO_WIRE = join(__dirname, '..', '..', 'node_modules', '.cache', 'reveille', 'mongo-wire');

const hasMongod = spawnSync('mongod', ['--version'], { stdio: 'ignore' }).status === 0;

/** Whether this machine has a server of MongoDB's wire protocol, and why not: for `describeWhen`. */
export const mongodbIsThere = Boolean(process.env['MONGODB_URL']) || hasMongod || existsSync(MONGO_WIRE);
export const MONGODB_MISSING = 'no MONGODB_URL, no mongod, no Go to build one';

/** A server that tests may end and start again; one that was given by `MONGODB_URL` is left alone. */
export interface MongodbServer {
  readonly url: string;
  /** False where the server is not ours to end. */
  readonly isOurs: boolean;
  /** Whether each guarded write costs it a look through the whole collection. */
  readonly scans: boolean;
  /** A name that no other test uses; dropped by `stop`. */
  database(): string;
  kill(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** @param folder where a server of ours keeps its files */
export async function startMongodb(folder: string): Promise<MongodbServer> {
  const given = process.env['MONGODB_URL'];
  const port = given ? 0 : await freePort();
  const url = given ?? `mongodb://127.0.0.1:${port}`;
  let child = given ? undefined : await launch(folder, port, url);
  const databases: string[] = [];
  const kill = async () => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  };
  return {
    url,
    isOurs: given === undefined,
    scans: given === undefined && !hasMongod,
    database() {
      const name = `reveille-test-${randomUUID().slice(0, 13)}`;
      databases.push(name);
      return databaseUrl(url, name);
    },
    kill,
    async restart() {
      if (given === undefined) child = await launch(folder, port, url);
    },
    async stop() {
      if (given !== undefined) for (const name of databases) await dropDatabases(url, name);
      await kill();
    },
  };
}

async function launch(folder: string, port: number, url: string): Promise<ChildProcess> {
  const child = hasMongod
    ? spawn('mongod', ['--dbpath', folder, '--port', `${port}`, '--bind_ip', '127.0.0.1', '--quiet'], {
        stdio: ['ignore', 'ignore', 'inherit'],
      })
    : spawn(MONGO_WIRE, [folder, `${port}`], { stdio: ['pipe', 'ignore', 'ignore'] });
  const { MongoClient } = await import('mongodb');
  await eventually(async () => {
    const client = new MongoClient(url, { serverSelectionTimeoutMS: 500 });
    try {
      await client.db('admin').command({ ping: 1 });
    } finally {
      await client.close();
    }
  });
  return child;
}

/** Removes the databases whose names begin so. */
export async function dropDatabases(url: string, prefix: string): Promise<void> {
  const { MongoClient } = await import('mongodb');
  const client = await MongoClient.connect(url);
  try {
    const { databases } = await client.db().admin().listDatabases({ nameOnly: true });
    const ours = databases.map(({ name }) => name).filter((name) => name.startsWith(prefix));
    for (const name of ours) await client.db(name).dropDatabase();
  } finally {
    await client.close();
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
