import { MONGODB_MISSING, mongodbIsThere } from '../../support/mongodb';
import { BUILD_TIMEOUT_MS, ensureBuilt, killCommands } from '../../support/reveille-process';
import { describeWhen } from '../../support/skips';
import { failMongodb } from './mongodb-faults';

beforeAll(ensureBuilt, BUILD_TIMEOUT_MS);
afterEach(killCommands);

describeWhen(mongodbIsThere, MONGODB_MISSING)('MongoDB under load', () => {
  test('fails: nothing is lost or done twice, and readiness says what is so', async () => {
    const verdicts = await failMongodb([
      ['is killed', 2],
      ['is frozen', 3],
    ]);
    if (verdicts.losses > 0) throw new Error(verdicts.table());
  }, 240_000);

  test('fails again and again, and for longer than connections live', async () => {
    const verdicts = await failMongodb([
      ['is killed', 15],
      ['loses answers, then dies', 5],
      ['is frozen', 30],
      ['is killed', 1],
      ['loses answers, then dies', 15],
      ['is killed', 1],
    ]);
    if (verdicts.losses > 0) throw new Error(verdicts.table());
  }, 900_000);
});
