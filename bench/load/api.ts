import { HttpConnection } from './http-connection';

/** The API as a scenario prepares and checks with it: every answer has to be the expected one. */
export class Api {
  private constructor(private readonly connection: HttpConnection) {}

  static async open(server: { url: string; token: string }): Promise<Api> {
    return new Api(await HttpConnection.open(server.url, server.token));
  }

  async get<Body>(path: string): Promise<Body> {
    return parsed<Body>(path, await this.connection.get(path));
  }

  async post<Body>(path: string, body: object): Promise<Body> {
    return parsed<Body>(path, await this.connection.post(path, JSON.stringify(body)));
  }

  close(): void {
    this.connection.close();
  }

  async company(): Promise<string> {
    const { id } = await this.post<{ id: string }>('/v1/companies', { name: 'Bench' });
    return id;
  }

  async agents(companyId: string, count: number, more: AgentOptions): Promise<string[]> {
    const ids: string[] = [];
    for (let index = 0; index < count; index++) {
      const { id } = await this.post<{ id: string }>(`/v1/companies/${companyId}/agents`, {
        name: `agent ${index}`,
        adapterType: more.adapterType ?? 'process',
        adapterConfig: more.adapterConfig,
        runtimeConfig: { heartbeat: more.heartbeat ?? {} },
      });
      ids.push(id);
    }
    return ids;
  }
}

export interface AgentOptions {
  adapterType?: string;
  adapterConfig: object;
  heartbeat?: object;
}

function parsed<Body>(path: string, { status, body }: { status: number; body: string }): Body {
  if (status >= 300) throw new Error(`${path}: ${status} ${body}`);
  return JSON.parse(body) as Body;
}
