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
  /**
   * What to execute for this run. May be asked again after a restart, and has a minute to answer.
   * @throws where the configuration and the context don't fit together
   */
  prepare(config: Config, run: InvocationContext): LocalInvocation | Promise<LocalInvocation>;
}

/** A `remote` adapter says which HTTP request stands for a run; the answer is the run, and the runner takes it in. */
export interface RemoteAdapter<Config = unknown> {
  readonly type: string;
  readonly kind: 'remote';
  /** What `adapterConfig` must look like; checked when an agent is registered or changed. */
  readonly configSchema: z.ZodType<Config>;
  /** Pure: what to send for this run. Throws where the configuration and the context don't fit together. */
  prepare(config: Config, run: InvocationContext): RemoteInvocation;
}

/** An `inline` adapter does the work of a run in the server itself: for what is short and as trusted as the server. */
export interface InlineAdapter<Config = unknown> {
  readonly type: string;
  readonly kind: 'inline';
  /** What `adapterConfig` must look like; checked when an agent is registered or changed. */
  readonly configSchema: z.ZodType<Config>;
  /** Resolves when the work is done, rejects where it failed, and leaves off when `signal` aborts. */
  execute(config: Config, run: InvocationContext, signal: AbortSignal): Promise<void>;
}

export type Adapter = LocalAdapter | RemoteAdapter | InlineAdapter;

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
  env: Readonly<Record<string, ConfiguredValue>>;
  stdin: string | null;
}

export interface RemoteInvocation {
  method: string;
  /** `http:` or `https:`, without user and password. */
  url: URL;
  /** By lower-case name. */
  headers: Readonly<Record<string, ConfiguredValue>>;
  body: string | null;
}

/** A text, or the name of a secret of the company, whose value only the agent gets. */
export type ConfiguredValue = string | { secret: string };

/** The secrets that an environment or the headers of a request name, each once. */
export function secretNames(values: Readonly<Record<string, ConfiguredValue>>): string[] {
  const names = Object.values(values).flatMap((value) => (typeof value === 'string' ? [] : [value.secret]));
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

  /** Those that leave nothing on the node that executes them. */
  get freeTypes(): string[] {
    return [...this.byType.values()].filter(({ kind }) => kind !== 'local').map(({ type }) => type);
  }
}
