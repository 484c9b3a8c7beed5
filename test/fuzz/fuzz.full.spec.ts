import { randomInt } from 'node:crypto';
import { BUILD_TIMEOUT_MS, ensureBuilt, killCommands } from '../support/reveille-process';
import { expectToStand } from './fuzz-story';

const MINUTES = 60_000;
const given = process.env['REVEILLE_FUZZ_SEED'];

beforeAll(() => ensureBuilt(), BUILD_TIMEOUT_MS);
afterAll(() => killCommands());

test(
  'twenty-five thousand requests of other dice each time',
  async () => {
    const seed = given === undefined ? randomInt(2 ** 31) : Number(given);
    await expectToStand({ seed, requests: 25_000, liveMessages: 2_000 });
  },
  15 * MINUTES,
);
