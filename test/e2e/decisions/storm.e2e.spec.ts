import { expectOrderAfterStorm } from './storm-check';

test('a dozen agents of mixed policies in a storm: every wakeup ends, and no start is beyond the policy', async () => {
  await expectOrderAfterStorm({ agents: 12, requests: 15, connections: 8, patienceMs: 30_000 });
});
