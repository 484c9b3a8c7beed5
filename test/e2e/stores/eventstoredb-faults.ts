import { EventstoredbEventLog } from '../../../src/event-log/eventstoredb/eventstoredb-event-log';
import { audit } from '../../faults/log-audit';
import { judgeLog } from '../../faults/rounds';
import type { Verdicts } from '../../faults/verdicts';
import type { ProxiedNode } from '../../support/eventstoredb/node';
import { startProxiedNode } from '../../support/eventstoredb/node';
import type { TcpProxy } from '../../support/tcp-proxy';
import type { StoreFault } from './store-faults';
import { failStore } from './store-faults';

/** What a proxy can do to a node, by name: lasting `sec` seconds. */
export const nodeFaults = {
  'is gone': ({ proxy }: ProxiedNode, sec: number) => ({
    ...{ name: 'is gone', isTotal: true, lastsMs: sec * 1_000 },
    begin: () => proxy.refuse(),
    end: () => proxy.accept(),
  }),
  'is frozen': ({ proxy }: ProxiedNode, sec: number) => ({
    ...{ name: 'is frozen', isTotal: true, lastsMs: sec * 1_000 },
    begin: () => proxy.freeze(),
    end: () => proxy.thaw(),
  }),
  'loses answers, then dies': ({ proxy }: ProxiedNode, sec: number) => ({
    ...{ name: 'loses answers, then dies', isTotal: true, lastsMs: sec * 1_000 },
    begin: () => proxy.loseAnswers(),
    end: () => proxy.reset(),
  }),
  'breaks connections': ({ proxy }: ProxiedNode, sec: number) => breaking(proxy, sec),
  'ends subscriptions': (node: ProxiedNode, sec: number) => ({
    ...{ name: 'ends subscriptions', isTotal: false, lastsMs: sec * 1_000 },
    begin: () => (node.double ? node.double.endSubscriptions() : node.proxy.reset()),
    end: () => undefined,
  }),
} satisfies Record<string, (node: ProxiedNode, sec: number) => StoreFault>;

/** Again and again, each time after more has come through. */
function breaking(proxy: TcpProxy, sec: number): StoreFault {
  let again: NodeJS.Timeout;
  let bytes = 500;
  return {
    ...{ name: 'breaks connections', isTotal: false, lastsMs: sec * 1_000 },
    begin() {
      again = setInterval(() => proxy.cutAfter((bytes += 3_000)), 200);
    },
    end() {
      clearInterval(again);
      proxy.cutAfter(Infinity);
    },
  };
}

/** The service on EventStoreDB, whose node fails. What stands on the log in the end is read past the proxy. */
export async function failNode(
  faults: readonly (readonly [keyof typeof nodeFaults, number])[],
): Promise<Verdicts> {
  const node = await startProxiedNode();
  const namespace = `faults-${process.pid}-${Date.now()}`;
  try {
    const verdicts = await failStore(
      'eventLog',
      ['--event-log', 'eventstoredb', '--eventstoredb-url', node.url, '--namespace', namespace],
      faults.map(([name, sec]) => nodeFaults[name](node, sec)),
    );
    const log = await EventstoredbEventLog.open(node.directUrl, namespace);
    try {
      judgeLog(await audit(log), verdicts);
    } finally {
      await log.close();
    }
    return verdicts;
  } finally {
    await node.stop();
  }
}
