import { BUILD_TIMEOUT_MS, ensureBuilt, killCommands } from '../../support/reveille-process';
import { failNode } from './eventstoredb-faults';

beforeAll(ensureBuilt, BUILD_TIMEOUT_MS);
afterEach(killCommands);

/** `eventstoredb-faults.full.spec.ts` has more of it, and longer ones. */
test('EventStoreDB fails under load: nothing is lost or done twice, and readiness says what is so', async () => {
  const verdicts = await failNode([
    ['is gone', 2],
    ['breaks connections', 1],
    ['is frozen', 3],
    ['loses answers, then dies', 2],
  ]);
  if (verdicts.losses > 0) throw new Error(verdicts.table());
}, 240_000);
