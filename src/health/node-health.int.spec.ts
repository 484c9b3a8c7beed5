import { temporaryFolder } from '../../test/support/temporary-folder';
import { NodeHealth } from './node-health';

type Parts = ConstructorParameters<typeof NodeHealth>[0];

const consumer = { name: 'runs', kind: 'projection', reached: '7', stoppedBy: null, ailment: null };
const never = () => new Promise<never>(() => undefined);
const fails = () => Promise.reject(new Error('no'));

const feed = { ailmentBefore: (): string | null => null };
const disk = { freeBytes: 5, isShort: false };
const execution = {
  illness: null as string | null,
  load: { active: 0, waiting: 0, max: 1 },
  diskSpace: () => Promise.resolve(disk),
};

/** Parts that are well, but for those that are named. */
function healthWith(ill: object): NodeHealth {
  const well = {
    log: { head: () => Promise.resolve(7n) },
    documents: { checkpoint: () => Promise.resolve(null) },
    processing: { status: () => [consumer], feed },
    execution,
    drain: { status: null },
    dataFolder: temporaryFolder(),
  };
  return new NodeHealth({ ...well, ...ill } as unknown as Parts);
}

test('a node whose parts are well is well', async () => {
  expect(await healthWith({}).look()).toEqual({
    status: 'ok',
    ill: [],
    eventLog: { status: 'ok', head: '7' },
    documents: { status: 'ok' },
    consumers: [consumer],
    execution: { status: 'ok' },
    dataFolder: { status: 'ok' },
    disk,
    draining: null,
    runs: { active: 0, waiting: 0, max: 1 },
  });
});

test.each([
  [
    'an event log that fails',
    { log: { head: fails } },
    ['eventLog'],
    { eventLog: { status: 'ill', head: null } },
  ],
  [
    'a feed that does not get what is on the log',
    {
      processing: {
        status: () => [consumer],
        feed: { ailmentBefore: (head: bigint) => (head === 7n ? 'why' : null) },
      },
    },
    ['eventLog'],
    { eventLog: { status: 'ill', head: '7' } },
  ],
  [
    'documents that never answer',
    { documents: { checkpoint: never } },
    ['documents'],
    { documents: { status: 'no answer within 2000 ms' } },
  ],
  [
    'a consumer that has stopped',
    { processing: { status: () => [{ ...consumer, stoppedBy: 'why' }], feed } },
    ['runs'],
    {},
  ],
  [
    'a consumer in trouble',
    { processing: { status: () => [{ ...consumer, ailment: 'why' }], feed } },
    ['runs'],
    {},
  ],
  [
    'an execution that has not begun',
    { execution: { ...execution, illness: 'starting' } },
    ['execution'],
    { execution: { status: 'starting' } },
  ],
  [
    'a data folder that is gone',
    { dataFolder: '/nonexistent/folder' },
    ['dataFolder'],
    { dataFolder: { status: expect.stringContaining('ENOENT') as unknown } },
  ],
  [
    'a disk that is nearly full',
    { execution: { ...execution, diskSpace: () => Promise.resolve({ freeBytes: 1, isShort: true }) } },
    ['disk'],
    { disk: { freeBytes: 1, isShort: true } },
  ],
])('%s is named', async (_what, parts, ill, answer) => {
  expect(await healthWith(parts).look()).toMatchObject({ status: 'ill', ill, ...answer });
});

test('a node that is about to stop says so, whatever else is the matter', async () => {
  const status = { mode: 'wait', since: 'now', until: null, runIds: ['r'] };
  const parts = { drain: { status }, log: { head: fails } };
  expect(await healthWith(parts).look()).toMatchObject({ status: 'draining', draining: status });
});
