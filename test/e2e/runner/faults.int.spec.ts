import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EmbeddedEventLog } from '../../../src/event-log/embedded/embedded-event-log';
import { LogUnavailable } from '../../../src/event-log/event-log';
import { DomainError } from '../../../src/kernel/errors';
import { runLogStream } from '../../../src/kernel/streams';
import { LocalRunner } from '../../../src/runner/local-runner';
import type { ClaimedRun } from '../../../src/runner/run-authority';
import { RunLogReader } from '../../../src/runs/run-log-reader';
import { flakyLog } from '../../support/flaky-log';
import { claimedRun, queueRun, RecordingAuthority, runnerDeps, scriptRun } from '../../support/local-runner';
import { temporaryFolder } from '../../support/temporary-folder';

let log: EmbeddedEventLog;
const folder = temporaryFolder();
beforeAll(async () => {
  log = await EmbeddedEventLog.open(join(folder, 'log'));
});
afterAll(() => log.close());

const outputOf = async (run: ClaimedRun) => {
  const page = await new RunLogReader(log).read({ ...run, offset: 0, limitBytes: 1_000_000 });
  return page.bytes.toString();
};

test('a log that answers every third append only changes nothing about a run', async () => {
  let count = 0;
  const flaky = flakyLog(log, () => (['unwritten', 'written', null] as const)[count++ % 3]!);
  const authority = new RecordingAuthority();
  const runner = new LocalRunner(runnerDeps(folder, flaky, authority));
  const run = scriptRun('for i in 1 2 3 4 5; do echo $i; sleep 0.1; done; exit 4');
  await queueRun(log, run);
  runner.start(run);
  await runner.idle();
  expect(authority.outcomes.get(run.runId)).toMatchObject({ exitCode: 4, errorCode: null });
  expect(await outputOf(run)).toBe('1\n2\n3\n4\n5\n');
});

test('somebody else who writes to the log of a run makes the runner go on behind that', async () => {
  const authority = new RecordingAuthority();
  const run = scriptRun('echo one; echo two');
  await queueRun(log, run);
  const stream = runLogStream(run.companyId, run.runId);
  let hasIntruded = false;
  const shared = Object.assign(Object.create(log) as EmbeddedEventLog, {
    append: async (...args: Parameters<EmbeddedEventLog['append']>) => {
      // What a server did that was thought dead: the same append, from the same spool, a moment earlier.
      if (args[0] === stream && !hasIntruded) {
        hasIntruded = true;
        await log.append(
          stream,
          args[1].map((event) => ({ ...event, id: run.claimId })),
          args[2],
        );
      }
      return log.append(...args);
    },
  });
  const runner = new LocalRunner(runnerDeps(folder, shared, authority));
  runner.start(run);
  await runner.idle();
  expect(hasIntruded).toBe(true);
  expect(authority.outcomes.get(run.runId)).toMatchObject({ exitCode: 0, log: { logBytes: 8 } });
  expect(await outputOf(run)).toBe('one\ntwo\n');
});

test.each(['RunLifecycleRecorded', 'AdapterInvoked', 'ProcessRecorded'])(
  'a run that is ended when %s has just been written is not executed',
  async (eventType) => {
    const authority = new RecordingAuthority();
    const ran = join(folder, `ran-${eventType}`);
    const run = scriptRun(`: > '${ran}'`);
    await queueRun(log, run);
    const watched = Object.assign(Object.create(log) as EmbeddedEventLog, {
      append: async (...args: Parameters<EmbeddedEventLog['append']>) => {
        const appended = await log.append(...args);
        if (args[1].some(({ type }) => type === eventType)) runner.end(run.runId, 'cancel');
        return appended;
      },
    });
    const runner = new LocalRunner(runnerDeps(folder, watched, authority));
    runner.start(run);
    await runner.idle();
    const outcome = authority.outcomes.get(run.runId);
    expect(outcome).toMatchObject({ exitCode: null, exitedAt: null, errorCode: null, log: { logBytes: 0 } });
    expect(existsSync(ran)).toBe(false);
  },
);

test('an end that cannot be recorded is tried again, and the folder kept until it is', async () => {
  const authority = new RecordingAuthority();
  const run = scriptRun('true');
  const runFolder = join(folder, 'runs', run.runId);
  const errors = [new LogUnavailable('away'), new DomainError('log_unavailable'), new Error('a bug')];
  const seen: boolean[] = [];
  authority.finish = async (...args) => {
    seen.push(existsSync(runFolder));
    const error = errors.shift();
    if (error) throw error;
    await RecordingAuthority.prototype.finish.apply(authority, args);
  };
  const runner = new LocalRunner(runnerDeps(folder, log, authority));
  await queueRun(log, run);
  runner.start(run);
  await runner.idle();
  expect(seen).toEqual([true, true, true, true]);
  expect(authority.outcomes.get(run.runId)).toMatchObject({ exitCode: 0 });
  expect(existsSync(runFolder)).toBe(false);
});

test('an end that is refused because the claim was lost is not tried again', async () => {
  const authority = new RecordingAuthority();
  let count = 0;
  authority.finish = async () => {
    count++;
    throw new DomainError('claim_lost');
  };
  const runner = new LocalRunner(runnerDeps(folder, log, authority));
  const run = scriptRun('true');
  await queueRun(log, run);
  runner.start(run);
  await runner.idle();
  expect(count).toBe(1);
  expect(existsSync(join(folder, 'runs', run.runId))).toBe(false);
});

test('a folder that cannot be made is spool_failed', async () => {
  const blocked = temporaryFolder();
  writeFileSync(join(blocked, 'runs'), 'not a folder');
  const authority = new RecordingAuthority();
  const runner = new LocalRunner(runnerDeps(blocked, log, authority));
  const run = claimedRun({ command: 'true' });
  await queueRun(log, run);
  runner.start(run);
  await runner.idle();
  expect(authority.outcomes.get(run.runId)).toMatchObject({ exitCode: null, errorCode: 'spool_failed' });
});

test('a runner knows what it supervises, tells when there is room, and starts nothing when it is closed', async () => {
  const authority = new RecordingAuthority();
  const runner = new LocalRunner(runnerDeps(folder, log, authority));
  let finished = 0;
  runner.onFinished(() => finished++);
  const run = scriptRun('true');
  await queueRun(log, run);
  runner.start(run);
  runner.start(run);
  runner.adopt(run);
  expect(runner.isSupervising(run.runId)).toBe(true);
  expect(runner.activeCount).toBe(1);
  await runner.idle();
  expect(runner.isSupervising(run.runId)).toBe(false);
  expect(runner.activeCount).toBe(0);
  expect(finished).toBe(1);
  await runner.close();
  const late = scriptRun('true');
  runner.start(late);
  expect(runner.isSupervising(late.runId)).toBe(false);
});
