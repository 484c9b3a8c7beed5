import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { CompanyView, VerificationResult } from '../../../src/client';
import { companyStream, runLogStream, runStream } from '../../../src/kernel/streams';
import { closeDatabase, openDatabase } from '../../../src/sqlite/sqlite';
import type { TestServer } from '../../support/server';
import { startTestServer, waitUntil } from '../../support/server';
import { describeWhen } from '../../support/skips';
import { temporaryFolder } from '../../support/temporary-folder';
import { logIsEmbedded, NOT_EMBEDDED } from '../../support/world';
import { OF_STREAM, TamperedLog } from '../audit/tampered-log';
import { ServerClock } from '../decisions/steps';
import type { LogPage, Run } from '../http/client';
import {
  expectProblem,
  expectStatus,
  get,
  getRun,
  head,
  registerAgent,
  runOnce,
  shell,
} from '../http/client';

/** What runs wrote is kept as long as their company wants; that it was written, and what, can be proven for ever. */

const MIB = 1024 * 1024;
const LONG_AFTER = '2040-01-01T00:00:00.000Z';
const OUTPUT_BYTES = 2 * MIB;
const WRITE = `head -c ${OUTPUT_BYTES / 2} /dev/zero | tr '\\0' x; echo; head -c ${OUTPUT_BYTES / 2} /dev/zero | tr '\\0' y; echo e >&2`;

let dataDir: string;
let server: TestServer;

beforeEach(async () => {
  dataDir = temporaryFolder();
  await start();
});
afterEach(async () => {
  await server.close();
  expect(server.errors).toEqual([]);
});

async function start(now?: string): Promise<void> {
  server = await startTestServer({ testClock: true, dataDir, settings: { auditCheckpointEvents: '40' } });
  if (now !== undefined) await setClock(now);
}

async function setClock(now: string): Promise<void> {
  await new ServerClock(server).set(now);
}

async function company(logRetentionDays: number | null): Promise<CompanyView> {
  const answer = await server.api<CompanyView>('POST', '/v1/companies', { name: 'Acme', logRetentionDays });
  return expectStatus(answer, 201);
}

async function finishedRun(companyId: string, script = WRITE): Promise<Run> {
  const agent = await registerAgent(server, companyId, { adapterConfig: shell(script) });
  const { id } = await runOnce(server, agent.id);
  await head(server);
  return getRun(server, id);
}

function verify(query = ''): Promise<VerificationResult> {
  return get(server, `/v1/audit/verify${query}`);
}

const chunkFile = () => join(dataDir, 'stores', 'runlog.db');
const chunkFileBytes = () => ['', '-wal'].reduce((sum, suffix) => sum + sizeOf(`${chunkFile()}${suffix}`), 0);
const sizeOf = (path: string) => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

async function storedRevisions(run: Run): Promise<number[]> {
  const rows = TamperedLog.live(dataDir).rows<{ revision: number }>(
    `SELECT revision FROM events WHERE ${OF_STREAM} ORDER BY revision`,
    [runLogStream(run.companyId, run.id)],
    'runlog.db',
  );
  return Promise.resolve(rows.map(({ revision }) => revision));
}

async function isRemoved(run: Run): Promise<boolean> {
  return (await storedRevisions(run)).length === 1;
}

async function readLog(run: Run): Promise<LogPage> {
  return get(server, `/v1/runs/${run.id}/log`);
}

async function expectGone(run: Run): Promise<void> {
  for (const headers of [{}, { accept: 'text/plain' }]) {
    const answer = await server.api('GET', `/v1/runs/${run.id}/log`, undefined, headers);
    expectProblem(answer, 410, 'log_aged_out');
    expect(answer.body).toMatchObject({ details: { logBytes: run.logBytes, logSha256: run.logSha256 } });
  }
}

/** How many streams have about this maximum age. */
function agesOf(ageSec: number): number {
  return TamperedLog.live(dataDir).rows(
    'SELECT 1 FROM streams WHERE max_age_sec BETWEEN ? AND ?',
    [ageSec, ageSec + 60],
    'runlog.db',
  ).length;
}

/** A copy with a chunk file as an earlier version would have made it. */
function asOfBefore(folder: string): string {
  const copy = TamperedLog.copyOf(folder).dataDir;
  const db = openDatabase(join(copy, 'stores', 'runlog.db'), 'FULL');
  db.exec('PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = NONE; VACUUM; DROP TABLE ageing');
  closeDatabase(db);
  return copy;
}

describeWhen(logIsEmbedded, NOT_EMBEDDED)('output that is not kept for ever', () => {
  test('is gone when its time has come, and its proof stays; that of another company stays, too', async () => {
    const [brief, lasting, long] = [await company(30), await company(null), await company(5_000)];
    expect([brief, lasting, long].map(({ logRetentionDays }) => logRetentionDays)).toEqual([30, null, 5_000]);
    const gone = [await finishedRun(brief.id), await finishedRun(brief.id)];
    const kept = [await finishedRun(lasting.id), await finishedRun(long.id, 'echo kept')];
    const silent = await finishedRun(brief.id, 'true');
    expect(await verify()).toMatchObject({ ok: true, agedOut: { logs: 0, events: 0, bytes: 0 } });
    const before = chunkFileBytes();
    expect(before).toBeGreaterThan(3 * OUTPUT_BYTES);
    const events = (await storedRevisions(gone[0]!)).length + (await storedRevisions(gone[1]!)).length;

    await setClock(LONG_AFTER);
    for (const run of gone) await waitUntil(() => isRemoved(run), 'the output is removed');
    await waitUntil(() => chunkFileBytes() < before - 1.7 * OUTPUT_BYTES, 'the file has shrunk');

    for (const run of gone) {
      await expectGone(run);
      const { logBytes, logSha256, logs, stdoutExcerpt } = await getRun(server, run.id);
      expect({ logBytes, logSha256, logs }).toEqual({
        logBytes: run.logBytes,
        logSha256: run.logSha256,
        logs: run.logs,
      });
      expect(stdoutExcerpt).toBe('');
    }
    for (const run of kept) expect((await readLog(run)).totalBytes).toBe(run.logBytes);
    expect(await readLog(silent)).toMatchObject({ content: '', totalBytes: 0, eof: true });
    for (const scope of [`runId=${gone[0]!.id}`, 'logs=true']) {
      const told = await get<{ items: { type: string; payload: { runId?: string; reason?: string } }[] }>(
        server,
        `/v1/companies/${brief.id}/events?after=0&limit=1000&${scope}`,
      );
      const ofRun = told.items.filter(({ payload }) => payload.runId === gone[0]!.id);
      expect(ofRun.filter(({ type }) => type === 'heartbeat.run.log')).toEqual([]);
      expect(ofRun.filter(({ type }) => type === 'log.gap').map(({ payload }) => payload)).toEqual([
        expect.objectContaining({
          stream: 'stdout',
          from: 0,
          to: gone[0]!.logs!.stdout.bytes,
          reason: 'aged_out',
        }),
        expect.objectContaining({ stream: 'stderr', from: 0, to: 2, reason: 'aged_out' }),
      ]);
    }
    const bytes = gone.reduce((sum, run) => sum + run.logBytes!, 0);
    const agedOut = { logs: 2, events: events - 2, bytes };
    expect(await verify()).toMatchObject({ ok: true, named: [], agedOut });
    expect(await verify(`?companyId=${brief.id}`)).toMatchObject({ ok: true, named: [], agedOut });
    expect(await verify(`?companyId=${long.id}`)).toMatchObject({ ok: true, agedOut: { logs: 0 } });
    const one = runLogStream(brief.id, gone[0]!.id);
    expect(await verify(`?stream=${one}`)).toMatchObject({ ok: true, agedOut: { logs: 1 } });

    await server.close();
    await start(LONG_AFTER);
    expect(await verify()).toMatchObject({ ok: true, named: [], uncovered: 0, agedOut });
    expect((await getRun(server, gone[0]!.id)).logSha256).toBe(gone[0]!.logSha256);
    await expectGone(gone[0]!);
    await finishedRun(brief.id, 'echo goes on');
    expect(await verify()).toMatchObject({ ok: true, named: [] });
  });

  test('a change of mind reaches the runs of before', async () => {
    const { id } = await company(null);
    const runs = [await finishedRun(id, 'echo one'), await finishedRun(id, 'echo two')];
    const patch = (logRetentionDays: unknown) =>
      server.api<CompanyView>('PATCH', `/v1/companies/${id}`, { logRetentionDays });
    for (const wrong of [0, 36_501, 1.5, '30']) {
      expectProblem(await patch(wrong), 400, 'bad_request');
    }
    expect(expectStatus(await patch(10), 200)).toMatchObject({ id, logRetentionDays: 10 });
    expect(expectStatus(await patch(10), 200)).toMatchObject({ logRetentionDays: 10 });
    expect(expectStatus(await patch(20_000), 200)).toMatchObject({ logRetentionDays: 20_000 });
    await waitUntil(() => agesOf(20_000 * 86_400) === 2, 'both logs have the new age');
    expect(expectStatus(await patch(10), 200)).toMatchObject({ logRetentionDays: 10 });
    await waitUntil(() => agesOf(10 * 86_400) === 2, 'both logs have the new age');
    await setClock(LONG_AFTER);
    for (const run of runs) await waitUntil(() => isRemoved(run), 'the output is removed');
    expect(expectStatus(await patch(null), 200)).toMatchObject({ logRetentionDays: null });
    const kept = await finishedRun(id, 'echo three');
    expect(await verify()).toMatchObject({ ok: true, named: [], agedOut: { logs: 2 } });
    expect((await readLog(kept)).content).toBe('three\n');
  });
});

describeWhen(logIsEmbedded, NOT_EMBEDDED)(
  'a longer time that reached no log before the server was killed',
  () => {
    test('holds for what would have aged out meanwhile', async () => {
      const { id } = await company(30);
      const run = await finishedRun(id);
      const before = await storedRevisions(run);
      const changedAt = await head(server);
      expectStatus(await server.api('PATCH', `/v1/companies/${id}`, { logRetentionDays: null }), 200);
      await server.close();
      const log = TamperedLog.live(dataDir);
      const undo = (file: string, sql: string, ...values: (string | number)[]) =>
        expect(log.run(sql, values, file)).toBeGreaterThan(0);
      undo(
        'durable.db',
        `UPDATE _checkpoints SET position = ? WHERE name = 'saga:log_retention'`,
        Number(changedAt),
      );
      undo('runlog.db', 'UPDATE streams SET max_age_sec = 2592000');
      undo('runlog.db', 'INSERT OR REPLACE INTO ageing (stream_id, due_ms) SELECT id, 0 FROM streams');
      undo('runlog.db', 'UPDATE events SET at_ms = 0');

      await start();
      await waitUntil(() => agesOf(30 * 86_400) === 0, 'the log has the new age');
      expect(await storedRevisions(run)).toEqual(before);
      expect((await readLog(run)).totalBytes).toBe(run.logBytes);

      expectStatus(await server.api('PATCH', `/v1/companies/${id}`, { logRetentionDays: 30 }), 200);
      await waitUntil(() => isRemoved(run), 'the output is removed');
    });
  },
);

describeWhen(logIsEmbedded, NOT_EMBEDDED)('what is missing without that its time had come', () => {
  const remove = (run: Run, which: string) =>
    TamperedLog.live(dataDir).run(
      `DELETE FROM events WHERE ${OF_STREAM} AND revision ${which}`,
      [runLogStream(run.companyId, run.id)],
      'runlog.db',
    );

  test('is named', async () => {
    const [brief, lasting] = [await company(30), await company(null)];
    const [early, never] = [await finishedRun(brief.id), await finishedRun(lasting.id)];
    const aged = await finishedRun(brief.id, 'echo aged');
    await server.close();
    for (const run of [early, never]) expect(remove(run, '= 0')).toBe(1);
    await start();
    const namedOf = async (run: Run) =>
      (await verify()).named.filter(({ stream }) => stream === runLogStream(run.companyId, run.id));
    expect(await namedOf(early)).toEqual([
      expect.objectContaining({ kind: 'removed', revision: 0, toRevision: 0 }),
    ]);
    expect(await namedOf(never)).toHaveLength(1);
    expect(await namedOf(aged)).toEqual([]);

    await setClock(LONG_AFTER);
    await waitUntil(() => isRemoved(aged), 'the output is removed');
    expect(await namedOf(never)).toEqual([expect.objectContaining({ kind: 'removed', revision: 0 })]);
    expect(await namedOf(aged)).toEqual([]);

    // What stays of a log that has aged out is still held against what was signed.
    await server.close();
    const log = TamperedLog.live(dataDir);
    const changed = log.run(
      `UPDATE events SET data = replace(data, '"logBytes":', '"logBytes":1') WHERE ${OF_STREAM}`,
      [runLogStream(aged.companyId, aged.id)],
      'runlog.db',
    );
    expect(changed).toBe(1);
    await start(LONG_AFTER);
    expect(await namedOf(aged)).toEqual([expect.objectContaining({ kind: 'changed' })]);
  });
});

describeWhen(logIsEmbedded, NOT_EMBEDDED)('who makes it look as if its time had come', () => {
  const lied = (stream: string, sql: string) => {
    const where = `${OF_STREAM} AND type_id = (SELECT id FROM types WHERE name = ?)`;
    return (type: string) => TamperedLog.live(dataDir).run(`${sql} WHERE ${where}`, [stream, type]);
  };

  test.each([
    [
      'the retention',
      5_000,
      ({ companyId }: Run) =>
        lied(
          companyStream(companyId),
          `UPDATE events SET data = replace(data, '5000', '1')`,
        )('LogRetentionChanged'),
      ({ companyId }: Run) => companyStream(companyId),
    ],
    [
      'the end of the run',
      5_000,
      ({ companyId, id }: Run) =>
        lied(
          runStream(companyId, id),
          `UPDATE events SET metadata = replace(metadata, '"at":"20', '"at":"10')`,
        )('RunLifecycleRecorded'),
      ({ companyId, id }: Run) => runStream(companyId, id),
    ],
  ])('by changing %s is found out, also where only the log is looked at', async (_what, days, lie, where) => {
    const { id } = await company(days);
    const run = await finishedRun(id, 'echo early');
    await server.close();
    const stream = runLogStream(run.companyId, run.id);
    const removed = `DELETE FROM events WHERE ${OF_STREAM} AND revision = 0`;
    expect(TamperedLog.live(dataDir).run(removed, [stream], 'runlog.db')).toBe(1);
    expect(lie(run)).toBeGreaterThan(0);
    await start(LONG_AFTER);
    for (const query of ['', `?companyId=${id}`, `?stream=${stream}`]) {
      const { ok, named } = await verify(query);
      expect({ query, ok }).toEqual({ query, ok: false });
      expect(named).toContainEqual(expect.objectContaining({ kind: 'changed', stream: where(run) }));
    }
  });

  test('by taking away the run with it is found out', async () => {
    const { id } = await company(30);
    const [one, other] = [await finishedRun(id, 'echo one'), await finishedRun(id, 'echo other')];
    await server.close();
    const remove = (stream: string, file: string) =>
      TamperedLog.live(dataDir).run(`DELETE FROM events WHERE ${OF_STREAM}`, [stream], file);
    expect(remove(runLogStream(id, one.id), 'runlog.db')).toBeGreaterThan(1);
    expect(remove(runStream(id, one.id), 'log.db')).toBeGreaterThan(1);
    expect(remove(runLogStream(id, other.id), 'runlog.db')).toBeGreaterThan(1);
    await start();
    const gone = (stream: string) => expect.objectContaining({ kind: 'stream_removed', stream }) as unknown;
    const expected = [runLogStream(id, one.id), runStream(id, one.id), runLogStream(id, other.id)].map(gone);
    expect((await verify()).named).toEqual(expect.arrayContaining(expected));
  });
});

describeWhen(logIsEmbedded, NOT_EMBEDDED)('a data folder of an earlier version', () => {
  test('has its file written anew at the start, and that shrinks', async () => {
    const { id } = await company(null);
    const run = await finishedRun(id);
    await server.close();
    dataDir = asOfBefore(dataDir);
    const before = chunkFileBytes();

    await start();
    await server.api('PATCH', `/v1/companies/${id}`, { logRetentionDays: 20 });
    await waitUntil(() => agesOf(20 * 86_400) === 1, 'the log has an age');
    await setClock(LONG_AFTER);
    await waitUntil(() => isRemoved(run), 'the output is removed');
    // The room is used again, and given back after the next start.
    expect(chunkFileBytes()).toBeGreaterThanOrEqual(before);
    await server.close();
    dataDir = TamperedLog.copyOf(dataDir).dataDir;
    await start(LONG_AFTER);
    await waitUntil(() => chunkFileBytes() < before - 0.9 * OUTPUT_BYTES, 'the file has shrunk');
    await expectGone(run);
    expect(await verify()).toMatchObject({ ok: true, agedOut: { logs: 1 } });
  });
});
