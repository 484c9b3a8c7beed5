import type { Scenario } from '../scenario';
import { accepted } from './accepted';
import { eventstoredb } from './eventstoredb';
import { noopLifecycles, processLifecycles } from './lifecycles';
import { log } from './log';
import { reads } from './reads';
import { replay } from './replay';
import { start } from './start';
import { tick } from './tick';
import { wake } from './wake';

export const scenarios: readonly Scenario[] = [
  accepted,
  wake,
  noopLifecycles,
  processLifecycles,
  log,
  replay,
  reads,
  tick,
  start,
  eventstoredb,
];
