import { Api } from './load/api';

interface Ready {
  eventLog: { head: string };
  consumers: { name: string; kind: string; reached: string }[];
}

/** Until a server that has started has handled all of its log. */
export async function untilCaughtUp(server: { url: string; token: string }): Promise<void> {
  const api = await Api.open(server);
  for (let isBehind = true; isBehind;) {
    const { eventLog, consumers } = await api.get<Ready>('/health/ready');
    isBehind = consumers.some(({ reached }) => BigInt(reached) < BigInt(eventLog.head));
    if (isBehind) await new Promise((resolve) => setTimeout(resolve, 20));
  }
  api.close();
}
