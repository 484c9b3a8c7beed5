import { BUILD_TIMEOUT_MS, ensureBuilt, killCommands } from '../../support/reveille-process';
import { failNode } from './eventstoredb-faults';

beforeAll(ensureBuilt, BUILD_TIMEOUT_MS);
afterEach(killCommands);

test('EventStoreDB fails under load: nothing is lost or done twice, and readiness says what is so', async () => {
  const verdicts = await failNode([
    ['is gone', 2],
    ['breaks connections', 1],
    ['is frozen', 3],
    ['loses answers, then dies', 2],
  ]);
  if (verdicts.losses > 0) throw new Error(verdicts.table());
}, 240_000);

test('EventStoreDB fails again and again, and for longer than connections live', async () => {
  const verdicts = await failNode([
    ['is gone', 15],
    ['is frozen', 8],
    ['loses answers, then dies', 6],
    ['breaks connections', 10],
    ['is frozen', 30],
    ['ends subscriptions', 1],
    ['is gone', 1],
    ['loses answers, then dies', 20],
    ['breaks connections', 5],
  ]);
  if (verdicts.losses > 0) throw new Error(verdicts.table());
}, 900_000);
