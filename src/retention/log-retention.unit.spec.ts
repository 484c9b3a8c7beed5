import { someEvent } from '../../test/support/events';
import { temporaryFolder } from '../../test/support/temporary-folder';
import { EmbeddedDocumentStore } from '../documents/embedded/embedded-document-store';
import type { Recorded } from '../kernel/event';
import { decode } from '../kernel/event';
import { LogRetention } from './log-retention';
import type { ReviewDeps } from './log-reviews';

/** A company whose setting is what `days` says, and what was looked at and limited because of its runs. */
class World {
  days: number | null = null;
  looks = 0;
  readonly limited: (number | null)[] = [];
  onLook = async () => Promise.resolve();
  private readonly retention: LogRetention;
  private position = 0n;

  constructor(documents: EmbeddedDocumentStore) {
    const deps = {
      documents,
      log: {
        setMaxAge: (_stream: string, maxAgeSec: number | null) =>
          Promise.resolve(this.limited.push(maxAgeSec)),
      },
      processing: { waitPatiently: () => Promise.resolve() },
      readModels: {
        get: async () => {
          this.looks += 1;
          const found = { logRetentionDays: this.days };
          await this.onLook();
          return found;
        },
      },
    };
    this.retention = new LogRetention(deps as unknown as ReviewDeps);
  }

  runIsOver(): Promise<void> {
    const at = '2026-01-01T00:00:00.000Z';
    const run = { companyId: 'c', runId: 'r', startedAt: at, finishedAt: at };
    return this.retention.execute({ type: 'LimitLog', key: 'r', ...run }, this.next());
  }

  settingHasChanged(): Promise<void> {
    return this.retention.execute({ type: 'ReviewLogs', key: 'c', companyId: 'c' }, this.next());
  }

  private next(): Recorded {
    this.position += 1n;
    return decode({ ...someEvent(), stream: 'agent-c.a', revision: 0, position: this.position });
  }
}

let documents: EmbeddedDocumentStore;
let world: World;
beforeEach(async () => {
  documents = await EmbeddedDocumentStore.open(temporaryFolder());
  world = new World(documents);
});
afterEach(() => documents.close());

test('a company that keeps everything is looked at once, until it changes its mind', async () => {
  await world.runIsOver();
  await world.runIsOver();
  expect(world).toMatchObject({ looks: 1, limited: [] });
  world.days = 7;
  await world.settingHasChanged();
  await world.runIsOver();
  await world.runIsOver();
  expect(world.looks).toBe(3);
  expect(world.limited).toHaveLength(2);
});

test('a setting that comes while it is looked at is not missed by the next run', async () => {
  world.onLook = () => world.settingHasChanged();
  await world.runIsOver();
  world.onLook = async () => Promise.resolve();
  world.days = 7;
  await world.runIsOver();
  expect(world).toMatchObject({ looks: 2, limited: [expect.any(Number)] });
});
