import type { ExecutionFacts } from './execution-result';
import { resultOf } from './execution-result';
import { RunFailure } from './run-failure';

const seenAt = new Date('2026-03-01T10:00:01.000Z');
const writtenAt = new Date('2026-03-01T10:00:00.000Z');

const facts = (more: Partial<ExecutionFacts>): ExecutionFacts => ({
  recorded: null,
  waited: null,
  seenAt,
  sent: [],
  survivors: [],
  wasUnexecuted: false,
  wasEnded: false,
  failure: null,
  ...more,
});
const exit = (code: number, isSignal = false) => ({
  recorded: { code, isSignal, at: writtenAt },
  waited: { code, signal: null },
});

test('what the wrapper wrote down counts, with its time', () => {
  const result = resultOf(
    facts({ recorded: { code: 3, isSignal: false, at: writtenAt }, waited: { code: null, signal: null } }),
  );
  expect(result).toEqual({
    exitCode: 3,
    signal: null,
    exitedAt: writtenAt.toISOString(),
    errorCode: null,
    error: null,
  });
});

test('what we waited for counts where nothing could be written down, which has its reason', () => {
  const result = resultOf(facts({ waited: { code: 4, signal: null } }));
  expect(result).toMatchObject({ exitCode: 4, exitedAt: seenAt.toISOString(), errorCode: 'spool_failed' });
});

test('a signal is named where the shell has reported it, whoever has sent it', () => {
  const segfault = resultOf(facts(exit(139, true)));
  expect(segfault).toMatchObject({ exitCode: 139, signal: 'SIGSEGV', errorCode: null });
  expect(segfault.exitedAt).toBe(writtenAt.toISOString());
  expect(resultOf(facts({ ...exit(137, true), sent: ['SIGTERM'] })).signal).toBe('SIGKILL');
  expect(resultOf(facts(exit(134, true))).signal).toBe('SIGABRT');
  expect(resultOf(facts(exit(170, true))).signal).toBe('SIG42');
});

test('a signal is named where we sent it and the exit code says so', () => {
  expect(resultOf(facts({ ...exit(143), sent: ['SIGTERM'] })).signal).toBe('SIGTERM');
  expect(resultOf(facts({ ...exit(137), sent: ['SIGTERM', 'SIGKILL'] })).signal).toBe('SIGKILL');
  expect(resultOf(facts({ ...exit(143), sent: [] })).signal).toBeNull();
  expect(resultOf(facts({ ...exit(7), sent: ['SIGTERM'] })).signal).toBeNull();
});

test('no exit code is a lost process, but not where the run was to be ended', () => {
  const gone = { waited: { code: null, signal: null } };
  expect(resultOf(facts(gone))).toMatchObject({ errorCode: 'process_lost', exitedAt: null });
  expect(resultOf(facts({ ...gone, wasEnded: true }))).toMatchObject({ errorCode: null, exitedAt: null });
  const killed = resultOf(facts({ waited: { code: null, signal: 'SIGKILL' } }));
  expect(killed).toMatchObject({
    errorCode: 'process_lost',
    signal: 'SIGKILL',
    exitedAt: seenAt.toISOString(),
  });
});

test('survivors outweigh a failure, which outweighs the exit code', () => {
  const failure = new RunFailure('spool_failed', 'gone');
  expect(resultOf(facts({ ...exit(0), failure }))).toMatchObject({ exitCode: 0, errorCode: 'spool_failed' });
  expect(resultOf(facts({ failure, survivors: [12, 13] }))).toMatchObject({
    errorCode: 'kill_failed',
    error: expect.stringContaining('12, 13') as string,
  });
});

test('the exit code of a command that the shell could not execute is a failed spawn', () => {
  expect(resultOf(facts({ ...exit(127), wasUnexecuted: true }))).toMatchObject({ errorCode: 'spawn_failed' });
});
