import { MONGODB_MISSING, mongodbIsThere } from '../../support/mongodb';
import { BUILD_TIMEOUT_MS, ensureBuilt, killCommands } from '../../support/reveille-process';
import { describeWhen } from '../../support/skips';
import { failMongodb } from './mongodb-faults';

beforeAll(ensureBuilt, BUILD_TIMEOUT_MS);
afterEach(killCommands);

describeWhen(mongodbIsThere, MONGODB_MISSING)('MongoDB under load', () => {
  /** `mongodb-faults.full.spec.ts` has more of it, and longer ones. */
  test('fails: nothing is lost or done twice, and readiness says what is so', async () => {
    const verdicts = await failMongodb([
      ['is killed', 2],
      ['is frozen', 3],
    ]);
    if (verdicts.losses > 0) throw new Error(verdicts.table());
  }, 240_000);
});
