import type { AdapterRegistry } from '../adapters/adapter';
import type { PriceTables } from '../costs/domain/prices';
import type { EventLog } from '../event-log/event-log';
import type { Clock } from '../kernel/clock';
import type { HttpRules } from './remote/http-request';
import type { NodeLease } from './process-loss';
import type { ClaimedRun, RunAuthority } from './run-authority';
import type { SecretSource } from './run-secrets';
import type { Spawner } from './spawner';

export interface RunnerLogger {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

/** What executing runs takes. */
export interface RunnerDeps {
  log: EventLog;
  adapters: AdapterRegistry;
  authority: RunAuthority;
  clock: Clock;
  secrets: SecretSource;
  /** What a run shows to the API; always the same for one run. */
  runToken: (run: ClaimedRun) => string;
  prices: PriceTables;
  nodeId: string;
  /** What this node has said last of itself, in this life or in the one before it; null: nothing. */
  lease: (life: 'former' | 'present') => NodeLease | null;
  /** Holds a folder for every run that is not over. */
  runsFolder: string;
  /** Holds a folder for every agent that has one of its own to work in. */
  workspacesFolder: string;
  /** The part of the server's environment that agents get: PATH, HOME and the like, never a secret. */
  environment: Readonly<Record<string, string>>;
  /** Where agents reach the API; asked when a run starts, since a port may be known only then. */
  apiUrl: () => string;
  http: HttpRules;
  logger: RunnerLogger;
}

/** The same, and what all runs of a runner share. */
export interface RunDeps extends RunnerDeps {
  spawner: Spawner;
}
