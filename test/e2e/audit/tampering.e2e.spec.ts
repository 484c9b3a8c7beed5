import { chainHash } from '../../../src/kernel/chain';
import { agentStream, AUDIT_STREAM, runLogStream, runStream } from '../../../src/kernel/streams';
import type { Finding, VerificationResult } from '../../../src/client';
import type { TestServer } from '../../support/server';
import { startTestServer, waitUntil } from '../../support/server';
import { describeWhen } from '../../support/skips';
import { temporaryFolder } from '../../support/temporary-folder';
import { logIsEmbedded, NOT_EMBEDDED } from '../../support/world';
import type { Agent } from '../http/client';
import { get, head, openCompany, registerAgent, runOnce, shell } from '../http/client';
import { OF_STREAM, TamperedLog } from './tampered-log';

/** A log is written, its server stops, somebody changes its file, and a server is asked whether it is what was written. */

const settings = { auditCheckpointEvents: '25' };
let dataDir: string;
let agent: Agent;
let runIds: string[];

async function serving<T>(folder: string, work: (server: TestServer) => Promise<T>): Promise<T> {
  const server = await startTestServer({ dataDir: folder, settings });
  try {
    return await work(server);
  } finally {
    await server.close();
  }
}

function verify(server: TestServer, query = ''): Promise<VerificationResult> {
  return get(server, `/v1/audit/verify${query}`);
}

/** What a server says about a log after somebody was there. */
async function foundAfter(tamper: (log: TamperedLog) => void, query = ''): Promise<Finding[]> {
  const log = TamperedLog.copyOf(dataDir);
  tamper(log);
  const { ok, findings, named } = await serving(log.dataDir, (server) => verify(server, query));
  expect({ ok, findings }).toEqual({ ok: findings === 0, findings: named.length });
  return named;
}

describeWhen(logIsEmbedded, NOT_EMBEDDED)('a log in files', () => {
  beforeAll(async () => {
    dataDir = temporaryFolder();
    await serving(dataDir, async (server) => {
      const company = await openCompany(server);
      agent = await registerAgent(server, company.id, {
        adapterConfig: shell('echo out; echo err >&2; echo more'),
      });
      runIds = [];
      for (let run = 0; run < 8; run += 1) runIds.push((await runOnce(server, agent.id)).id);
      await head(server);
    });
  });

  const stream = () => agentStream(agent.companyId, agent.id);
  const runAt = (index: number) => runStream(agent.companyId, runIds[index]!);
  const logAt = (index: number) => runLogStream(agent.companyId, runIds[index]!);

  test('that nobody has touched is verified, output and checkpoints included', async () => {
    await serving(dataDir, async (server) => {
      const { ok, named, checkpoints, uncovered } = await verify(server);
      expect({ ok, named, uncovered }).toEqual({ ok: true, named: [], uncovered: 0 });
      expect(checkpoints.count).toBeGreaterThanOrEqual(3);
      expect(checkpoints.last).toEqual({
        number: checkpoints.count,
        sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      });
      for (const query of [`?stream=${logAt(3)}`, `?companyId=${agent.companyId}`]) {
        expect(await verify(server, query)).toMatchObject({
          ok: true,
          named: [],
          checkpoints: { count: checkpoints.count },
        });
      }
      expect((await verify(server, `?stream=${logAt(3)}`)).events).toBeGreaterThan(2);
    });
  });

  test('a changed byte', async () => {
    const named = await foundAfter((log) => {
      const sql = `UPDATE events SET data = replace(data, '"agentId":"', '"agentId":"x') WHERE ${OF_STREAM} AND revision = 7`;
      expect(log.run(sql, [stream()])).toBe(1);
    });
    expect(named).toEqual([
      expect.objectContaining({
        kind: 'changed',
        stream: stream(),
        revision: 7,
        eventId: expect.any(String),
      }),
    ]);
    expect(named[0]!.message).toContain(`(${stream()}, revision 7, id ${named[0]!.eventId})`);
  });

  test('a changed byte of what an agent wrote', async () => {
    const named = await foundAfter((log) => {
      const [row] = log.rows<{ position: number; data: Uint8Array }>(
        `SELECT position, data FROM events WHERE ${OF_STREAM} AND revision = 0`,
        [logAt(2)],
        'runlog.db',
      );
      const data = Uint8Array.from(row!.data);
      data[data.length - 1]! ^= 1;
      log.run('UPDATE events SET data = ? WHERE position = ?', [data, row!.position], 'runlog.db');
    });
    expect(named).toEqual([expect.objectContaining({ kind: 'changed', stream: logAt(2), revision: 0 })]);
  });

  test('a byte that is changed right after it was written, under a server that remembers it', async () => {
    const folder = temporaryFolder();
    await serving(folder, async (server) => {
      const company = await openCompany(server);
      const other = await registerAgent(server, company.id, { adapterConfig: shell('true') });
      await runOnce(server, other.id);
      const changed = agentStream(company.id, other.id);
      for (const query of ['', `?stream=${changed}`])
        expect(await verify(server, query)).toMatchObject({ ok: true });
      const sql = `UPDATE events SET data = replace(data, '"agentId":"', '"agentId":"x') WHERE ${OF_STREAM} AND revision = 2`;
      expect(TamperedLog.live(folder).run(sql, [changed])).toBe(1);
      for (const query of ['', `?stream=${changed}`, `?companyId=${company.id}`]) {
        expect((await verify(server, query)).named).toEqual([
          expect.objectContaining({ kind: 'changed', stream: changed, revision: 2 }),
        ]);
      }
    });
  });

  test.each(['id', 'hash', 'at'])('a changed %s', async (what) => {
    const named = await foundAfter((log) => {
      const value =
        what === 'id'
          ? `id = iif(id LIKE 'a%', 'b', 'a') || substr(id, 2)`
          : `metadata = replace(metadata, '"${what}":"', '"${what}":"1')`;
      expect(log.run(`UPDATE events SET ${value} WHERE ${OF_STREAM} AND revision = 5`, [stream()])).toBe(1);
    });
    expect(named).toEqual([expect.objectContaining({ kind: 'changed', stream: stream(), revision: 5 })]);
  });

  // What the file finds an event by: under another category, no read model would ever see it.
  test.each([
    ['category', `category = 'agenu'`],
    ['time', 'at_ms = at_ms - 86400000'],
  ])('an event that is filed under another %s', async (what, change) => {
    const tamper = (log: TamperedLog) =>
      expect(log.run(`UPDATE events SET ${change} WHERE ${OF_STREAM} AND revision = 5`, [stream()])).toBe(1);
    for (const query of ['', `?stream=${stream()}`]) {
      const named = await foundAfter(tamper, query);
      expect(named).toEqual([
        expect.objectContaining({
          kind: 'changed',
          stream: stream(),
          revision: 5,
          eventId: expect.any(String),
        }),
      ]);
      expect(named[0]!.message).toContain(`filed under the ${what}`);
    }
  });

  test('another actor: the chain does not cover it, the checkpoint does', async () => {
    const named = await foundAfter((log) => {
      const sql = `UPDATE events SET metadata = replace(metadata, '"actor":{"type":"', '"actor":{"type":"x')
        WHERE ${OF_STREAM} AND revision = 5`;
      expect(log.run(sql, [stream()])).toBe(1);
    });
    expect(named).toEqual([
      expect.objectContaining({ kind: 'metadata_changed', stream: stream(), checkpoint: expect.any(Number) }),
    ]);
    expect(named[0]!.revision).toBeLessThanOrEqual(5);
    expect(named[0]!.toRevision).toBeGreaterThanOrEqual(5);
  });

  test('metadata that are no JSON any more', async () => {
    const named = await foundAfter((log) => {
      log.run(`UPDATE events SET metadata = '{' WHERE ${OF_STREAM} AND revision = 2`, [runAt(1)]);
    });
    expect(named[0]).toMatchObject({ kind: 'changed', stream: runAt(1), revision: 2 });
  });

  test('a removed event', async () => {
    const named = await foundAfter((log) => {
      expect(log.run(`DELETE FROM events WHERE ${OF_STREAM} AND revision = 9`, [stream()])).toBe(1);
    });
    expect(named).toEqual([
      expect.objectContaining({ kind: 'removed', stream: stream(), revision: 9, toRevision: 9 }),
    ]);
  });

  test('the first event of a stream', async () => {
    const named = await foundAfter((log) => {
      expect(log.run(`DELETE FROM events WHERE ${OF_STREAM} AND revision = 0`, [runAt(3)])).toBe(1);
    });
    expect(named).toEqual([
      expect.objectContaining({ kind: 'removed', stream: runAt(3), revision: 0, toRevision: 0 }),
    ]);
  });

  test('a removed event whose place was taken by the ones behind it', async () => {
    const named = await foundAfter((log) => {
      log.run(`DELETE FROM events WHERE ${OF_STREAM} AND revision = 9`, [stream()]);
      const { last } = log.rows<{ last: number }>(
        `SELECT max(revision) AS last FROM events WHERE ${OF_STREAM}`,
        [stream()],
      )[0]!;
      for (let revision = 10; revision <= last; revision += 1) {
        log.run(`UPDATE events SET revision = revision - 1 WHERE ${OF_STREAM} AND revision = ${revision}`, [
          stream(),
        ]);
      }
    });
    expect(named[0]).toMatchObject({ kind: 'changed', stream: stream(), revision: 9 });
    expect(named.at(-1)).toMatchObject({ kind: 'cut_off', stream: stream() });
  });

  describe('two swapped events', () => {
    const exchange = (
      log: TamperedLog,
      columns: readonly string[],
      [a, b]: readonly [number, number],
      of = stream(),
    ) => {
      const read = (revision: number) =>
        log.rows<Record<string, string>>(`SELECT * FROM events WHERE ${OF_STREAM} AND revision = ?`, [
          of,
          revision,
        ])[0]!;
      const [one, other] = [read(a), read(b)];
      for (const [revision, from] of [
        [a, other],
        [b, one],
      ] as const) {
        const set = columns.map((column) => `${column} = ?`).join(', ');
        const values = columns.map((column) => from[column]!);
        expect(
          log.run(`UPDATE events SET ${set} WHERE ${OF_STREAM} AND revision = ?`, [...values, of, revision]),
        ).toBe(1);
      }
    };

    test.each([
      ['their data, apart from each other', ['data'], [4, 11]],
      ['their data, side by side', ['data'], [4, 5]],
      ['all of them, apart from each other', ['type_id', 'id', 'at_ms', 'metadata', 'data'], [4, 11]],
      ['all of them, side by side', ['type_id', 'id', 'at_ms', 'metadata', 'data'], [4, 5]],
    ] as const)('%s', async (_what, columns, revisions) => {
      const named = await foundAfter((log) => exchange(log, columns, revisions));
      expect(named).toEqual([
        expect.objectContaining({
          kind: 'swapped',
          stream: stream(),
          revision: revisions[0],
          toRevision: revisions[1],
        }),
      ]);
    });

    test('their places on the log', async () => {
      const named = await foundAfter((log) => {
        const at = (revision: number) =>
          log.rows<{ position: number }>(`SELECT position FROM events WHERE ${OF_STREAM} AND revision = ?`, [
            stream(),
            revision,
          ])[0]!.position;
        const [one, other] = [at(4), at(5)];
        log.run('UPDATE events SET position = -1 WHERE position = ?', [one]);
        log.run('UPDATE events SET position = ? WHERE position = ?', [one, other]);
        log.run('UPDATE events SET position = ? WHERE position = -1', [other]);
      });
      expect(named).toEqual([expect.objectContaining({ kind: 'swapped', stream: stream(), revision: 4 })]);
    });
  });

  test('a cut-off end', async () => {
    let last = 0;
    const named = await foundAfter((log) => {
      last = log.rows<{ last: number }>(`SELECT max(revision) AS last FROM events WHERE ${OF_STREAM}`, [
        runAt(6),
      ])[0]!.last;
      expect(log.run(`DELETE FROM events WHERE ${OF_STREAM} AND revision > ?`, [runAt(6), last - 2])).toBe(2);
    });
    expect(named).toEqual([
      expect.objectContaining({
        ...{ kind: 'cut_off', stream: runAt(6), revision: last - 1, toRevision: last },
        ...{ found: `revision ${last - 2}`, checkpoint: expect.any(Number) },
      }),
    ]);
  });

  test('a removed stream', async () => {
    const named = await foundAfter((log) => {
      expect(log.run(`DELETE FROM events WHERE ${OF_STREAM}`, [logAt(4)], 'runlog.db')).toBeGreaterThan(2);
    });
    expect(named).toEqual([
      expect.objectContaining({ kind: 'stream_removed', stream: logAt(4), revision: 0, found: null }),
    ]);
  });

  test('a stream that was written anew, with hashes that agree', async () => {
    const of = runAt(5);
    const named = await foundAfter((log) => rewrite(log, of, 3));
    expect(named).toEqual([
      expect.objectContaining({ kind: 'rewritten', stream: of, checkpoint: expect.any(Number) }),
    ]);
  });

  describe('the checkpoints themselves', () => {
    test('a changed one', async () => {
      const named = await foundAfter((log) => {
        const sql = `UPDATE events SET data = replace(data, '\\"events\\":', '\\"events\\":1')
          WHERE ${OF_STREAM} AND revision = 3`;
        expect(log.run(sql, [AUDIT_STREAM])).toBe(1);
      });
      expect(named.map(({ kind, stream: at, revision }) => [kind, at, revision])).toEqual(
        expect.arrayContaining([
          ['changed', AUDIT_STREAM, 3],
          ['checkpoint', AUDIT_STREAM, 3],
        ]),
      );
      expect(named.some(({ message }) => message.includes('its signature is wrong'))).toBe(true);
    });

    test('a whole log that was written anew and signed with another key', async () => {
      const named = await foundAfter((log) => {
        log.run(
          `UPDATE events SET data = replace(data, '\\"keyId\\":\\"', '\\"keyId\\":\\"0') WHERE ${OF_STREAM}`,
          [AUDIT_STREAM],
        );
      });
      expect(named.some(({ message }) => message.includes('a key that is not known here'))).toBe(true);
    });

    test('the newest ones are gone, and what they covered', async () => {
      const log = TamperedLog.copyOf(dataDir);
      log.run(`DELETE FROM events WHERE ${OF_STREAM} AND revision > 1`, [AUDIT_STREAM]);
      // The server signs others in their place, and more of them later: it knows that these are not the ones.
      for (let start = 0; start < 3; start += 1) {
        const named = await serving(log.dataDir, async (server) => {
          await runOnce(server, agent.id);
          return (await verify(server)).named;
        });
        expect(named).toContainEqual(
          expect.objectContaining({
            ...{ kind: 'checkpoint', stream: AUDIT_STREAM },
            message: expect.stringMatching(/in the place of another one|this server remembers checkpoint/),
          }),
        );
      }
    });
  });

  test('behind the last checkpoint the chains protect', async () => {
    const folder = TamperedLog.copyOf(dataDir).dataDir;
    const server = await startTestServer({ dataDir: folder });
    try {
      await runOnce(server, agent.id);
      await head(server);
      const { uncovered } = await verify(server);
      expect(uncovered).toBeGreaterThan(5);
      const log = TamperedLog.live(folder);
      const { last } = log.rows<{ last: number }>(
        `SELECT max(revision) AS last FROM events WHERE ${OF_STREAM}`,
        [stream()],
      )[0]!;
      log.run(
        `UPDATE events SET data = replace(data, '"wakeupId":"0', '"wakeupId":"1') WHERE ${OF_STREAM} AND revision = ?`,
        [stream(), last],
      );
      log.run(`DELETE FROM events WHERE ${OF_STREAM} AND revision = ?`, [stream(), last - 1]);
      // A page that was read a moment ago is not read again.
      await waitUntil(async () => !(await verify(server)).ok, 'it is found');
      const { named } = await verify(server);
      expect(named).toEqual([
        expect.objectContaining({ kind: 'removed', stream: stream(), revision: last - 1 }),
      ]);
    } finally {
      await server.close();
    }
  });
});

/** As somebody would who knows how the chain is made: the data of one event changes, and all hashes behind it. */
function rewrite(log: TamperedLog, stream: string, from: number): void {
  const rows = log.rows<{
    position: number;
    revision: number;
    id: string;
    type: string;
    data: string;
    metadata: string;
  }>(
    `SELECT e.position, e.revision, e.id, t.name AS type, e.data, e.metadata FROM events e JOIN types t ON t.id = e.type_id
     WHERE ${OF_STREAM} ORDER BY e.revision`,
    [stream],
  );
  const before = rows.find(({ revision }) => revision === from - 1)!;
  let { hash } = JSON.parse(before.metadata) as { hash: string };
  for (const { position, revision, id, type, data, metadata } of rows) {
    if (revision < from) continue;
    const forged = revision === from ? data.replace('"message":"', '"message":"not ') : data;
    const { at, ...rest } = JSON.parse(metadata) as { at: string };
    hash = chainHash(hash, { type, id, at, data: forged });
    log.run('UPDATE events SET data = ?, metadata = ? WHERE position = ?', [
      forged,
      JSON.stringify({ at, ...rest, hash }),
      position,
    ]);
  }
}
