import { EventstoredbEventLog } from '../../src/event-log/eventstoredb/eventstoredb-event-log';
import type { EventstoredbDouble } from '../support/eventstoredb/double';
import { startEventstoredbDouble } from '../support/eventstoredb/double';
import { eventLogContract } from './event-log.contract';

const REAL_NODE = process.env['EVENTSTOREDB_URL'];

describe(REAL_NODE ? 'on a real node' : 'on a double', () => {
  let double: EventstoredbDouble | undefined;

  beforeAll(async () => {
    if (!REAL_NODE) double = await startEventstoredbDouble();
  });
  afterAll(() => double?.stop());

  eventLogContract('EventstoredbEventLog', async () => {
    const url = REAL_NODE ?? double!.url;
    let log = await EventstoredbEventLog.open(url);
    const reopen = async () => {
      await log.close();
      return (log = await EventstoredbEventLog.open(url));
    };
    return { log, reopen, close: () => log.close() };
  });
});
