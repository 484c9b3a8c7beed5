import { expectOrderAfterStorm } from './storm-check';

const PATIENCE_MS = 180_000;

test(
  'fifty agents of mixed policies in a storm: every wakeup ends, and no start is beyond the policy',
  async () => {
    await expectOrderAfterStorm({ agents: 50, requests: 60, connections: 40, patienceMs: PATIENCE_MS });
  },
  PATIENCE_MS,
);
