import type { z } from 'zod';
import type { OutputReader, ReadingContext } from './output-reader';

export type * from './output-reader';

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
  /**
   * How to understand what the program writes to its standard output. Without it, output is recorded and not understood.
   */
  reader?(config: Config, run: InvocationContext, context: ReadingContext): OutputReader;
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

/** What a module is given that makes its adapters: it need not bring a copy of its own. */
export interface AdapterTools {
  z: typeof z;
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
  /** null: a folder that is made for it, see `workspace`. */
  cwd: string | null;
  /** Whose folder that is: the run's, which goes with it (the default), or the agent's, which stays. */
  workspace?: 'run' | 'agent';
  /** Beside the allow-listed environment of the server and the REVEILLE_* variables. */
  env: Readonly<Record<string, ConfiguredValue>>;
  /** Values that only who looks for them is to see: each is in a file of its own, and the variable holds its path. */
  envFiles?: Readonly<Record<string, ConfiguredValue>>;
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
