import type { Baseline, Figure } from './figure';
import type { ServerOptions, ServerProcess } from './server-process';

/** What a scenario works with. */
export interface BenchContext {
  /** A tenth of the work: shows that a scenario runs, not how fast the program is. */
  quick: boolean;
  /** A new folder, removed after the scenario. */
  newFolder: () => string;
  /** Stopped after the scenario where it still runs. */
  startServer: (options: Partial<ServerOptions>) => Promise<ServerProcess>;
}

export interface Scenario {
  name: string;
  about: string;
  run(context: BenchContext): Promise<{ figures: Figure[]; baselines: Baseline[] }>;
}
