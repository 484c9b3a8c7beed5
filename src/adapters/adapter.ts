import type { z } from 'zod';

/**
 * How an agent is executed. A `local` adapter says which command stands for a run and leaves the rest (spool, limits,
 * ending, adoption) to the runner.
 */
export interface LocalAdapter<Config = unknown> {
  readonly type: string;
  readonly kind: 'local';
  /** What `adapterConfig` must look like; checked when an agent is registered or changed. */
  readonly configSchema: z.ZodType<Config>;
  /** Pure: what to execute for this run. Throws where the configuration and the context don't fit together. */
  prepare(config: Config, run: InvocationContext): LocalInvocation;
}

export type Adapter = LocalAdapter;

export interface InvocationContext {
  companyId: string;
  agentId: string;
  runId: string;
  sessionId: string | null;
  /** What the run is about, as the agent gets it. */
  context: Readonly<Record<string, unknown>>;
}

export interface LocalInvocation {
  command: string;
  args: readonly string[];
  /** null: the run's own folder. */
  cwd: string | null;
  /** Beside the allow-listed environment of the server and the REVEILLE_* variables. */
  env: Readonly<Record<string, EnvironmentValue>>;
  stdin: string | null;
}

/** A text, or the name of a secret of the company, whose value only the process gets. */
export type EnvironmentValue = string | { secret: string };

/** The secrets that an environment names, each once. */
export function secretNames(env: Readonly<Record<string, EnvironmentValue>>): string[] {
  const names = Object.values(env).flatMap((value) => (typeof value === 'string' ? [] : [value.secret]));
  return [...new Set(names)].sort();
}

/** The adapters that this server knows, by type. */
export class AdapterRegistry {
  private readonly byType: ReadonlyMap<string, Adapter>;

  constructor(adapters: readonly Adapter[]) {
    this.byType = new Map(adapters.map((adapter) => [adapter.type, adapter]));
  }

  get(type: string): Adapter | undefined {
    return this.byType.get(type);
  }

  get types(): string[] {
    return [...this.byType.keys()];
  }
}
