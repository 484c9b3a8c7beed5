import type { Role } from '../../src/auth/access';
import type { NewTokenView } from '../../src/auth/token.view';
import type { TestServer } from './server';
import { apiOf } from './server';

/** A client that comes in with a token of its own. */
export interface Client extends NewTokenView {
  url: string;
  api: TestServer['api'];
}

const connections: (() => void)[] = [];

/** Makes a token of a company, and who has it. */
export async function clientOf(
  server: Pick<TestServer, 'url' | 'api'>,
  companyId: string,
  role: Role,
  more: { agentId?: string; expiresAt?: string; name?: string } = {},
): Promise<Client> {
  const wanted = { name: role, role, ...more };
  const { status, body } = await server.api<NewTokenView>(
    'POST',
    `/v1/companies/${companyId}/tokens`,
    wanted,
  );
  if (status !== 201) throw new Error(`no token: ${status} ${JSON.stringify(body)}`);
  return { ...body, ...clientWith(server.url, body.token) };
}

/** Whoever has a token, wherever it is from. */
export function clientWith(url: string, token: string): Pick<Client, 'url' | 'token' | 'api'> {
  const { api, disconnect } = apiOf(url, token);
  connections.push(disconnect);
  return { url, token, api };
}

export function disconnectClients(): void {
  for (const disconnect of connections.splice(0)) disconnect();
}
