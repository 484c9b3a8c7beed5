import { hostsOf } from '../../../src/connection-strings';
import type { TcpProxy } from '../tcp-proxy';
import { startTcpProxy } from '../tcp-proxy';
import type { EventstoredbDouble } from './double';
import { startEventstoredbDouble } from './double';

/** The node under test with a proxy before it: the one of EVENTSTOREDB_URL, which has to be one without TLS, or a double. */
export interface ProxiedNode {
  /** Leads through the proxy. */
  url: string;
  /** Goes past it, for whoever looks at what has happened. */
  directUrl: string;
  proxy: TcpProxy;
  /** Null on a real node. */
  double: EventstoredbDouble | null;
  stop(): Promise<void>;
}

export const REAL_NODE = process.env['EVENTSTOREDB_URL'];

export async function startProxiedNode(): Promise<ProxiedNode> {
  const double = REAL_NODE ? null : await startEventstoredbDouble();
  const directUrl = REAL_NODE ?? double!.url;
  const [host, port = '2113'] = hostsOf(directUrl).split(':');
  const proxy = await startTcpProxy({ host, port: Number(port) });
  return {
    url: directUrl.replace(hostsOf(directUrl), `127.0.0.1:${proxy.port}`),
    directUrl,
    proxy,
    double,
    async stop() {
      await proxy.close();
      await double?.stop();
    },
  };
}
