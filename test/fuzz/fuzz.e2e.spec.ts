import { BUILD_TIMEOUT_MS, ensureBuilt, killCommands } from '../support/reveille-process';
import { expectToStand } from './fuzz-story';

/** Always the same dice here; `fuzz.full.spec.ts` throws others each time. */
const SEED = 20_251_123;

beforeAll(() => ensureBuilt(), BUILD_TIMEOUT_MS);
afterAll(() => killCommands());

test('two thousand requests, valid, borderline and broken: all are answered, and what is refused changes nothing', async () => {
  await expectToStand({ seed: SEED, requests: 2_000, liveMessages: 200 });
}, 180_000);
