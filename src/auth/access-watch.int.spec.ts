import { eventually } from '../../test/support/eventually';
import { someEvent } from '../../test/support/events';
import { temporaryFolder } from '../../test/support/temporary-folder';
import { EmbeddedDocumentStore } from '../documents/embedded/embedded-document-store';
import { EmbeddedEventLog } from '../event-log/embedded/embedded-event-log';
import { NO_STREAM } from '../kernel/event';
import { companyStream } from '../kernel/streams';
import { Processing } from '../processing/processing';
import { ReadModels } from '../processing/read-models';
import { AccessWatch } from './access-watch';
import type { Principal } from './principal';
import { SERVER_ADMIN } from './principal';
import { accessTokensProjection } from './projections/access-tokens.projection';
import { newToken, tokenHash } from './token-hash';

/** A node that learns of tokens from the log alone: others have made and revoked them. */

let log: EmbeddedEventLog;
let documents: EmbeddedDocumentStore;
let processing: Processing;
let watch: AccessWatch;
let revision: number;
let now: Date;
let ended: { key: string; reason: string }[];
let open: Principal[];

beforeEach(async () => {
  const folder = temporaryFolder();
  log = await EmbeddedEventLog.open(folder);
  documents = await EmbeddedDocumentStore.open(folder);
  revision = NO_STREAM;
  now = new Date('2030-01-01T00:00:00.000Z');
  [ended, open] = [[], []];
  await startNode();
});
afterEach(async () => {
  await stopNode();
  await log.close();
  await documents.close();
});

async function startNode(): Promise<void> {
  const logger = { warn: () => undefined, error: () => undefined };
  processing = new Processing(log, documents, logger);
  await processing.start([accessTokensProjection], []);
  const sessions = {
    end: (key: string, reason: string) => void ended.push({ key, reason }),
    principals: () => open,
  };
  const readModels = new ReadModels(documents, processing.generations);
  const clock = { now: () => now };
  watch = new AccessWatch({ log, processing, readModels, clock, sessions, logger });
}

async function stopNode(): Promise<void> {
  await watch.stop();
  await processing.stop();
}

async function append(type: string, data: object): Promise<void> {
  const events = [someEvent({ type, data: JSON.stringify(data) })];
  ({ revision } = await log.append(companyStream('c'), events, revision));
}

async function create(tokenId: string, expiresAt = '2031-01-01T00:00:00.000Z'): Promise<string> {
  const token = newToken();
  const said = { companyId: 'c', tokenId, name: 'n', role: 'viewer', agentId: null, hash: tokenHash(token) };
  await append('AccessTokenCreated', { ...said, createdAt: '2030-01-01T00:00:00.000Z', expiresAt });
  return token;
}

const revoke = (tokenId: string) => append('AccessTokenRevoked', { companyId: 'c', tokenId });

test('what was made and revoked before the start is known when it is over', async () => {
  const [kept, gone] = [await create('kept'), await create('gone')];
  await revoke('gone');
  await watch.start(new AbortController().signal);
  expect(watch.tokens.principal(kept)).toEqual({
    ...{ actor: { type: 'user', id: 'kept' }, companyId: 'c', role: 'viewer', key: 'token/kept' },
    ...{ expiresAt: '2031-01-01T00:00:00.000Z', agentId: null, runId: null },
  });
  expect(watch.tokens.principal(gone)).toBeNull();
  expect(watch.tokens.principal(newToken())).toBeNull();
});

test('so it is after a restart, from the read model', async () => {
  const [kept, gone] = [await create('kept'), await create('gone')];
  await revoke('gone');
  await watch.start(new AbortController().signal);
  await processing.waitForHead([accessTokensProjection.name]);
  await stopNode();
  await startNode();
  await watch.start(new AbortController().signal);
  expect([watch.tokens.principal(kept)?.key, watch.tokens.principal(gone)]).toEqual(['token/kept', null]);
});

test('what another node makes is let in, and what it revokes is closed', async () => {
  await watch.start(new AbortController().signal);
  const token = await create('t');
  await eventually(() => expect(watch.tokens.principal(token)).not.toBeNull());
  await revoke('t');
  await eventually(() => expect(watch.tokens.principal(token)).toBeNull());
  expect(ended).toEqual([{ key: 'token/t', reason: 'token_revoked' }]);
});

test('a creation that is told once more does not undo what came after it', async () => {
  await watch.start(new AbortController().signal);
  const token = await create('t');
  await eventually(() => expect(watch.tokens.principal(token)).not.toBeNull());
  const said = {
    companyId: 'c',
    tokenId: 't',
    name: 'n',
    role: 'viewer' as const,
    agentId: null,
    hash: tokenHash(token),
  };
  watch.tokens.revoke('t');
  watch.tokens.add({ ...said, expiresAt: '2031-01-01T00:00:00.000Z' });
  expect(watch.tokens.principal(token)).toBeNull();
});

test('who has come in while the token was on its way out is found', async () => {
  await watch.start(new AbortController().signal);
  const token = await create('t');
  await eventually(() => expect(watch.tokens.principal(token)).not.toBeNull());
  const principal = watch.tokens.principal(token)!;
  await revoke('t');
  await eventually(() => expect(ended).toHaveLength(1));
  open = [principal];
  await eventually(() => expect(ended.length).toBeGreaterThan(1));
  expect(ended.at(-1)).toEqual({ key: 'token/t', reason: 'token_revoked' });
});

test('time ends tokens, and those of runs end with the run', async () => {
  await watch.start(new AbortController().signal);
  const token = await create('t', '2030-01-01T00:00:10.000Z');
  await eventually(() => expect(watch.tokens.principal(token)).not.toBeNull());
  const principal = watch.tokens.principal(token)!;
  const run: Principal = { ...SERVER_ADMIN, companyId: 'c', key: 'run/r', agentId: 'a', runId: 'r' };
  expect([watch.endOf(principal), watch.endOf(run), watch.endOf(SERVER_ADMIN)]).toEqual([null, null, null]);
  now = new Date('2030-01-01T00:00:10.000Z');
  expect(watch.tokens.principal(token)).toBeNull();
  expect(watch.endOf(principal)).toBe('token_expired');
  await append('RunFinished', { runId: 'r' });
  await eventually(() => expect(ended).toContainEqual({ key: 'run/r', reason: 'token_revoked' }));
  expect(watch.endOf(run)).toBe('token_revoked');
  expect(watch.endOf({ ...SERVER_ADMIN })).toBeNull();
});
