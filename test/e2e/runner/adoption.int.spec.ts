import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256Hex } from '../../../src/kernel/canonical-json';
import { systemClock } from '../../../src/kernel/clock';
import { endLeftovers } from '../../../src/runner/leftovers';
import type { ProcessIdentity } from '../../../src/runner/process-table';
import { livingProcess } from '../../../src/runner/process-table';
import { processTreeOf } from '../../../src/runner/process-tree';
import type { ClaimedRun, RunOutcome } from '../../../src/runner/run-authority';
import { RunEventWriter } from '../../../src/runner/run-event-writer';
import {
  claimedRun,
  LEASES,
  queueRun,
  RunnerBench,
  scriptRun,
  silentLogger,
} from '../../support/local-runner';
import type { DeathPoint, HostTask } from '../../support/runner-host';
import { temporaryFolder } from '../../support/temporary-folder';

let bench: RunnerBench;
const runs: ClaimedRun[] = [];

beforeEach(async () => {
  bench = await RunnerBench.open(temporaryFolder());
});
afterEach(async () => {
  await bench.close();
  for (const { runId } of runs.splice(0)) expect(await processTreeOf(runId, null).living()).toEqual([]);
});

const LINES = 60;
const EVERY_LINE = Array.from({ length: LINES }, (_, line) => `line ${line}\n`).join('');

/** Says that it runs, writes numbered lines to both streams for about a second, and exits with 5. */
/** @param held it waits in the middle until there is a file `go` */
function countingRun({ held = false } = {}): ClaimedRun {
  const hold = held ? `[ $i -ne ${LINES / 2} ] || until [ -e '${goFile()}' ]; do sleep 0.01; done;` : '';
  const run = scriptRun(
    `echo ran >> "$0"
     i=0; while [ $i -lt ${LINES} ]; do ${hold} echo "line $i"; echo "line $i" >&2; i=$((i+1)); sleep 0.01; done
     echo '{"type":"usage","inputTokens":1}' >> "$REVEILLE_EVENTS_FILE"
     exit 5`,
  );
  (run.adapterConfig['args'] as string[]).push(join(bench.folder, 'ran'));
  runs.push(run);
  return run;
}

function goFile(): string {
  return join(bench.folder, 'go');
}

async function expectWholeAndOnce(run: ClaimedRun, outcome: RunOutcome): Promise<void> {
  const output = await bench.output(run);
  expect(output.stdout.toString()).toBe(EVERY_LINE);
  expect(output.stderr.toString()).toBe(EVERY_LINE);
  const digest = { bytes: EVERY_LINE.length, sha256: sha256Hex(EVERY_LINE) };
  expect(outcome).toMatchObject({
    exitCode: 5,
    signal: null,
    errorCode: null,
    log: { logs: { stdout: digest, stderr: digest }, logSha256: sha256Hex(output.combined) },
  });
  expect(readFileSync(join(bench.folder, 'ran'), 'utf8')).toBe('ran\n');
  const messages = (await bench.events(run)).map(({ message }) => message);
  const usage = '1 input, 0 cached input and 0 output tokens, unpriced';
  for (const once of ['run started', 'process: sh', usage]) {
    expect(messages.filter((message) => message === once)).toHaveLength(1);
  }
}

describe('a run that is left alone and taken up again', () => {
  test('in the middle of its output loses and doubles nothing', async () => {
    const run = countingRun({ held: true });
    await bench.start(run);
    await bench.untilOutput(run, 'line 10\n');
    await bench.restart();
    expect(bench.authority.outcomes.size).toBe(0);
    expect((await processTreeOf(run.runId, null).living()).length).toBeGreaterThan(0);
    const adopted = bench.adopt(run);
    writeFileSync(goFile(), '');
    await expectWholeAndOnce(run, await adopted);
  });

  test('after it has ended meanwhile has its exit code and all its output', async () => {
    const run = countingRun();
    await bench.start(run);
    await bench.untilOutput(run, 'line 10\n');
    const leader = await recordedLeader(run);
    await bench.restart();
    await untilGone(leader);
    // Its timeout has passed since, but the agent had ended before.
    run.limits.timeoutSec = 60;
    run.startedAt = new Date(Date.now() - 60_000).toISOString();
    const outcome = await bench.adopt(run);
    await expectWholeAndOnce(run, outcome);
    expect(bench.authority.endings).toEqual([]);
    expect(Date.parse(outcome.exitedAt!)).toBeLessThan(Date.now());
    expect(existsSync(join(bench.folder, 'runs', run.runId))).toBe(false);
  });

  test('after a signal has ended it meanwhile has that signal', async () => {
    const run = scriptRun(`echo ready; until [ -e '${goFile()}' ]; do sleep 0.02; done; kill -SEGV $$`);
    runs.push(run);
    await bench.start(run);
    await bench.untilOutput(run, 'ready');
    const leader = await recordedLeader(run);
    await bench.restart();
    writeFileSync(goFile(), '');
    await untilGone(leader);
    expect(await bench.adopt(run)).toMatchObject({ exitCode: 139, signal: 'SIGSEGV', errorCode: null });
  });

  test('again and again is still the same run', async () => {
    const run = countingRun();
    await bench.start(run);
    for (const line of [5, 15, 25]) {
      await bench.untilOutput(run, `line ${line}\n`);
      await bench.restart();
      bench.runner.adopt(run);
    }
    await expectWholeAndOnce(run, await bench.outcomeOf(run));
  });

  test('is ended where that is wanted since', async () => {
    const run = scriptRun('echo ready; exec sleep 60');
    runs.push(run);
    await bench.start(run);
    await bench.untilOutput(run, 'ready');
    await bench.restart();
    const outcome = await bench.adopt({
      ...run,
      endCause: 'cancel',
    });
    expect(outcome).toMatchObject({ exitCode: 143, signal: 'SIGTERM', errorCode: null });
  });

  test('is ended by a timeout that counts from its start', async () => {
    const run = scriptRun('echo ready; exec sleep 60');
    run.limits.timeoutSec = 60;
    runs.push(run);
    await bench.start(run);
    await bench.untilOutput(run, 'ready');
    await bench.restart();
    const startedAt = new Date(Date.now() - 60_000).toISOString();
    expect(await bench.adopt({ ...run, startedAt })).toMatchObject({ signal: 'SIGTERM' });
    expect(bench.authority.endings).toEqual([{ runId: run.runId, cause: 'timeout' }]);
  });
});

describe('a run whose process is gone', () => {
  test('without an exit code is lost', async () => {
    const run = scriptRun('echo ready; exec sleep 60');
    runs.push(run);
    await bench.start(run);
    await bench.untilOutput(run, 'ready');
    const leader = await recordedLeader(run);
    await bench.restart();
    process.kill(-leader.pgid, 'SIGKILL');
    await untilGone(leader);
    const outcome = await bench.adopt(run);
    expect(outcome).toMatchObject({
      exitCode: null,
      exitedAt: null,
      errorCode: 'process_lost',
      error: 'Process lost -- server may have restarted',
      log: { logBytes: 6 },
    });
    expect((await bench.events(run)).at(-1)).toMatchObject({
      eventType: 'error',
      payload: {
        nodeId: 'node-1',
        claimId: run.claimId,
        pid: leader.pid,
        signal: null,
        lease: LEASES.former,
        lastOutput: { stdout: 'ready\n' },
      },
    });
  });

  test('but for a part that lives on has that ended first', async () => {
    const run = scriptRun('echo ready; sleep 60; true');
    runs.push(run);
    await bench.start(run);
    await bench.untilOutput(run, 'ready');
    const leader = await recordedLeader(run);
    await bench.restart();
    process.kill(leader.pid, 'SIGKILL');
    await untilGone(leader);
    expect(await processTreeOf(run.runId, null).living()).not.toEqual([]);
    expect(await bench.adopt(run)).toMatchObject({ errorCode: 'process_lost' });
    expect(await processTreeOf(run.runId, null).living()).toEqual([]);
  });

  test('and was to be ended needs no further reason', async () => {
    const run = scriptRun('echo ready; exec sleep 60');
    runs.push(run);
    await bench.start(run);
    await bench.untilOutput(run, 'ready');
    const leader = await recordedLeader(run);
    await bench.restart();
    process.kill(-leader.pgid, 'SIGKILL');
    await untilGone(leader);
    expect(await bench.adopt({ ...run, endCause: 'pause' })).toMatchObject({
      exitCode: null,
      errorCode: null,
    });
  });

  test('together with its folder is spool_failed', async () => {
    const run = countingRun();
    await bench.start(run);
    await bench.untilOutput(run, 'line 5\n');
    await bench.restart();
    rmSync(join(bench.folder, 'runs', run.runId), { recursive: true });
    expect(await bench.adopt(run)).toMatchObject({ errorCode: 'spool_failed' });
  });

  test.each([
    ['another boot', { bootId: '00000000-0000-0000-0000-000000000000' }],
    ['another start', { startTime: 1 }],
  ])('leaves a process alone that has its pid from %s', async (_name, difference) => {
    const stranger = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
    await once(stranger, 'spawn');
    try {
      const identity = { ...identityOf(stranger), ...difference };
      const run = claimedRun({ command: 'true' });
      await pretendStarted(run, identity);
      expect(await bench.adopt(run)).toMatchObject({ errorCode: 'process_lost' });
      expect(livingProcess(stranger.pid!)).not.toBeNull();
    } finally {
      stranger.kill('SIGKILL');
    }
  });
});

describe('a server that dies by kill -9', () => {
  const deaths: [string, DeathPoint][] = [
    ['before anything is written', { eventType: 'RunLifecycleRecorded', when: 'before' }],
    ['before the spawn', { eventType: 'AdapterInvoked', when: 'after' }],
    ['after the spawn, which is not on the log', { eventType: 'ProcessRecorded', when: 'before' }],
    ['after the spawn is on the log, before the line', { eventType: 'ProcessRecorded', when: 'after' }],
    ['before the first output is on the log', { eventType: 'LogChunked', when: 'before' }],
    ['when output is on the log', { eventType: 'LogChunked', when: 'after' }],
    ['after the exit', { eventType: 'LogFinalized', when: 'before' }],
    ['when the log is finalized', { eventType: 'LogFinalized', when: 'after' }],
    ['before the end is recorded', { eventType: 'RunFinished', when: 'before' }],
  ];

  test.each(deaths)('%s: the run is executed once, and whole', async (_name, death) => {
    const run = countingRun();
    await bench.log.close();
    await hostUntilDeath({ folder: bench.folder, run, death });
    bench = await RunnerBench.open(bench.folder);
    await expectWholeAndOnce(run, await bench.adopt(run));
  });

  test('after the spawn, which is not on the log: nothing is executed by what is left', async () => {
    const run = countingRun();
    await bench.log.close();
    await hostUntilDeath({
      folder: bench.folder,
      run,
      death: { eventType: 'ProcessRecorded', when: 'before' },
    });
    while ((await processTreeOf(run.runId, null).living()).length > 0) await shortly();
    expect(existsSync(join(bench.folder, 'ran'))).toBe(false);
    bench = await RunnerBench.open(bench.folder);
  });

  test('before the end of a run without a process is recorded: that end stands', async () => {
    const command = join(bench.folder, 'late-command');
    const run = claimedRun({ command });
    await bench.log.close();
    await hostUntilDeath({ folder: bench.folder, run, death: { eventType: 'RunFinished', when: 'before' } });
    bench = await RunnerBench.open(bench.folder);
    writeFileSync(command, '#!/bin/sh\n', { mode: 0o700 });
    const outcome = await bench.adopt(run);
    expect(outcome).toMatchObject({ exitCode: null, errorCode: 'spawn_failed' });
    const errors = (await bench.events(run)).filter(({ eventType }) => eventType === 'error');
    expect(errors).toMatchObject([{ message: outcome.error }]);
  });

  test('before the spawn, with an ending since: nothing is executed', async () => {
    const run = countingRun();
    await bench.log.close();
    await hostUntilDeath({
      folder: bench.folder,
      run,
      death: { eventType: 'AdapterInvoked', when: 'after' },
    });
    bench = await RunnerBench.open(bench.folder);
    expect(await bench.adopt({ ...run, endCause: 'cancel' })).toMatchObject({
      exitCode: null,
      errorCode: null,
    });
    expect(existsSync(join(bench.folder, 'ran'))).toBe(false);
  });
});

test('what is left of runs that are over is ended and removed, and the rest is left alone', async () => {
  const [over, going] = [scriptRun('echo ready; exec sleep 60'), scriptRun('echo ready; exec sleep 60')];
  runs.push(over, going);
  for (const run of [over, going]) {
    await bench.start(run);
    await bench.untilOutput(run, 'ready');
  }
  await bench.restart();
  const runsFolder = join(bench.folder, 'runs');
  mkdirSync(join(runsFolder, 'unknown'));
  const isOver = (runId: string) => runId !== going.runId;
  const ended = await endLeftovers({ runsFolder, isOver, logger: silentLogger });
  expect(ended.sort()).toEqual([over.runId, 'unknown'].sort());
  expect(existsSync(join(runsFolder, over.runId))).toBe(false);
  expect(await processTreeOf(over.runId, null).living()).toEqual([]);
  expect(await processTreeOf(going.runId, null).living()).not.toEqual([]);
  expect(await bench.adopt({ ...going, endCause: 'cancel' })).toMatchObject({ signal: 'SIGTERM' });
  expect(
    await endLeftovers({ runsFolder: join(bench.folder, 'none'), isOver, logger: silentLogger }),
  ).toEqual([]);
});

async function hostUntilDeath(task: HostTask): Promise<void> {
  const host = join(__dirname, '..', '..', 'support', 'runner-host.ts');
  const hook = join(__dirname, '..', '..', 'support', 'typescript-hook.cjs');
  const child = spawn(process.execPath, ['-r', hook, host, JSON.stringify(task)], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
  expect(signal).toBe('SIGKILL');
}

async function recordedLeader(run: ClaimedRun): Promise<ProcessIdentity> {
  const recorded = (await bench.events(run)).find(({ eventType }) => eventType === 'process');
  return recorded!.payload as unknown as ProcessIdentity;
}

function identityOf({ pid }: ChildProcess): ProcessIdentity {
  const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return { bootId, pid: pid!, startTime: livingProcess(pid!)!.startTime, pgid: pid! };
}

async function untilGone({ pid, startTime }: ProcessIdentity): Promise<void> {
  while (livingProcess(pid)?.startTime === startTime) await shortly();
}

function shortly(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 10));
}

/** What a server leaves behind that had started a run and never saw its end. */
async function pretendStarted(run: ClaimedRun, identity: ProcessIdentity): Promise<void> {
  await queueRun(bench.log, run);
  const origin = {
    correlationId: run.correlationId,
    causationId: null,
    commandId: run.claimId,
    actor: { type: 'node', id: run.nodeId } as const,
    nodeId: run.nodeId,
  };
  const writer = new RunEventWriter(
    { log: bench.log, clock: systemClock },
    { run, origin },
    new AbortController().signal,
  );
  await writer.append(
    { eventType: 'lifecycle', message: 'run started' },
    { eventType: 'adapter.invoke', message: 'process: true' },
    { eventType: 'process', message: 'process spawned', payload: { ...identity } },
  );
  const folder = join(bench.folder, 'runs', run.runId);
  mkdirSync(folder, { recursive: true });
  for (const name of ['stdout', 'stderr', 'started']) writeFileSync(join(folder, name), '');
}
