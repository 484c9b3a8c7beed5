import type { Verdicts } from '../../faults/verdicts';
import type { MongodbServer } from '../../support/mongodb';
import { startMongodb } from '../../support/mongodb';
import type { TcpProxy } from '../../support/tcp-proxy';
import { startTcpProxy } from '../../support/tcp-proxy';
import { temporaryFolder } from '../../support/temporary-folder';
import type { StoreFault } from './store-faults';
import { failStore } from './store-faults';

interface ProxiedServer {
  server: MongodbServer;
  proxy: TcpProxy;
}

/** What happens to the server of the documents, by name: lasting `sec` seconds. */
const serverFaults = {
  'is killed': ({ server, proxy }: ProxiedServer, sec: number) => ({
    ...{ name: 'is killed', isTotal: true, lastsMs: sec * 1_000 },
    // One that was given is not ours to end.
    begin: () => (server.isOurs ? server.kill() : proxy.refuse()),
    end: () => (server.isOurs ? server.restart() : proxy.accept()),
  }),
  'is frozen': ({ proxy }: ProxiedServer, sec: number) => ({
    ...{ name: 'is frozen', isTotal: true, lastsMs: sec * 1_000 },
    begin: () => proxy.freeze(),
    end: () => proxy.thaw(),
  }),
  'loses answers, then dies': ({ proxy }: ProxiedServer, sec: number) => ({
    ...{ name: 'loses answers, then dies', isTotal: true, lastsMs: sec * 1_000 },
    begin: () => proxy.loseAnswers(),
    end: () => proxy.reset(),
  }),
} satisfies Record<string, (server: ProxiedServer, sec: number) => StoreFault>;

/** The service with its documents on MongoDB, whose server fails. */
export async function failMongodb(
  faults: readonly (readonly [keyof typeof serverFaults, number])[],
): Promise<Verdicts> {
  const server = await startMongodb(temporaryFolder());
  const { hostname, port } = new URL(server.url);
  const proxy = await startTcpProxy({ host: hostname, port: Number(port || 27017) });
  const url = new URL(server.database());
  [url.hostname, url.port] = ['127.0.0.1', `${proxy.port}`];
  // Else the driver would go past the proxy, to where the server says that it is.
  url.searchParams.set('directConnection', 'true');
  try {
    return await failStore(
      'documents',
      ['--event-log', 'embedded', '--documents', 'mongodb', '--mongodb-url', url.href],
      faults.map(([name, sec]) => serverFaults[name]({ server, proxy }, sec)),
    );
  } finally {
    await proxy.close();
    await server.stop();
  }
}
