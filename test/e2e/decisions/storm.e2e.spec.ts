import { testWhen } from '../../support/skips';
import { WRITES_ARE_SLOW, writesAreQuick } from '../../support/world';
import { expectOrderAfterStorm } from './storm-check';

testWhen(writesAreQuick, WRITES_ARE_SLOW)(
  'a dozen agents of mixed policies in a storm: every wakeup ends, and no start is beyond the policy',
  async () => {
    await expectOrderAfterStorm({ agents: 12, requests: 15, connections: 8, patienceMs: 30_000 });
  },
);
