import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256Hex } from '../../../src/kernel/canonical-json';
import { livingProcess } from '../../../src/runner/process-table';
import { processTreeOf } from '../../../src/runner/process-tree';
import type { ClaimedRun } from '../../../src/runner/run-authority';
import { claimedRun, LEASES, RunnerBench, scriptRun } from '../../support/local-runner';
import { temporaryFolder } from '../../support/temporary-folder';

let bench: RunnerBench;
const runs: ClaimedRun[] = [];

beforeAll(async () => {
  bench = await RunnerBench.open(temporaryFolder());
});
afterEach(async () => {
  for (const { runId } of runs.splice(0)) expect(await processTreeOf(runId, null).living()).toEqual([]);
});
afterAll(() => bench.close());

/** What the README says that an agent finds in its environment. */
const readmeVariables = () => {
  const readme = readFileSync(join(__dirname, '..', '..', '..', 'README.md'), 'utf8');
  const rows = readme.split('\n').filter((line) => line.startsWith('| `REVEILLE_'));
  return rows.flatMap((row) => row.split(' | ', 1)[0]!.match(/REVEILLE_\w+/g)!);
};

const execute = (run: ClaimedRun) => {
  runs.push(run);
  return bench.execute(run);
};

describe('an agent that ends by itself', () => {
  test('has every byte of both streams on the log, with their hashes', async () => {
    const run = scriptRun('printf "out\\001\\377"; printf "err" >&2; printf "more"');
    const outcome = await execute(run);
    const output = await bench.output(run);
    const stdout = Buffer.concat([Buffer.from('out\u0001'), Buffer.from([0xff]), Buffer.from('more')]);
    expect(output.stdout).toEqual(stdout);
    expect(output.stderr.toString()).toBe('err');
    expect(outcome).toMatchObject({
      exitCode: 0,
      signal: null,
      errorCode: null,
      error: null,
      report: null,
      log: {
        logs: {
          stdout: { bytes: 9, sha256: sha256Hex(stdout) },
          stderr: { bytes: 3, sha256: sha256Hex('err') },
        },
        logBytes: 12,
        logSha256: sha256Hex(output.combined),
      },
    });
    expect(Date.parse(outcome.exitedAt!)).toBeGreaterThanOrEqual(Date.parse(run.startedAt) - 20);
  });

  test('has its run events in order, and its folder removed', async () => {
    const run = claimedRun({
      command: 'true',
      args: ['a', 'b'],
      env: { MY_SETTING: 'hidden' },
      stdin: 'four',
    });
    await execute(run);
    const events = await bench.events(run);
    expect(events.map(({ eventType, message }) => [eventType, message])).toEqual([
      ['lifecycle', 'run queued'],
      ['lifecycle', 'run started'],
      ['adapter.invoke', 'process: true'],
      ['process', 'process spawned'],
    ]);
    expect(events[2]!.payload).toMatchObject({
      command: 'true',
      args: ['a', 'b'],
      stdinBytes: 4,
      envNames: expect.arrayContaining(['MY_SETTING', 'PATH', 'REVEILLE_RUN_ID']) as string[],
    });
    expect(JSON.stringify(events)).not.toContain('hidden');
    const { pid, pgid } = events[3]!.payload as { pid: number; pgid: number };
    expect(pgid).toBe(pid);
    expect(existsSync(join(bench.folder, 'runs', run.runId))).toBe(false);
  });

  test('with no output has an empty log that is finalized', async () => {
    const outcome = await execute(scriptRun(':'));
    const empty = { bytes: 0, sha256: sha256Hex('') };
    expect(outcome.log).toMatchObject({
      logs: { stdout: empty, stderr: empty },
      logBytes: 0,
      logSha256: sha256Hex(''),
    });
    expect(outcome.log!.chainHead).toMatch(/^[0-9a-f]{64}$/);
  });

  test.each([
    ['exit 7', 7],
    ['exit 126', 126],
    ['exit 127', 127],
    ['exit 139', 139],
  ])(
    '%s is reported as exit code %d, without a signal and without an error code',
    async (script, exitCode) => {
      const run = scriptRun(script);
      expect(await execute(run)).toMatchObject({ exitCode, signal: null, errorCode: null });
      expect((await bench.output(run)).stderr.toString()).toBe('');
    },
  );

  test.each([
    ['SIGSEGV', 139],
    ['SIGKILL', 137],
    ['SIGABRT', 134],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ])('because of %s is reported with that, and as %d', async (signal, exitCode) => {
    const run = scriptRun(`kill -${signal.slice(3)} $$`);
    expect(await execute(run)).toMatchObject({ exitCode, signal, errorCode: null });
    expect((await bench.output(run)).stderr.toString()).toBe('');
  });

  test.each([
    ['SIGINT', 130],
    ['SIGPIPE', 141],
  ])('because of %s is reported as %d: shells keep these two to themselves', async (signal, exitCode) => {
    const run = scriptRun(`kill -${signal.slice(3)} $$`);
    expect(await execute(run)).toMatchObject({ exitCode, signal: null, errorCode: null });
  });

  test('because its own shell has lost its last command to a signal, has exited', async () => {
    const run = scriptRun("sh -c 'kill -SEGV $$'; exit");
    expect(await execute(run)).toMatchObject({ exitCode: 139, signal: null });
  });

  test('finds every variable set, also without a session', async () => {
    const names = readmeVariables();
    expect(names).toContain('REVEILLE_SESSION_ID');
    const run = scriptRun(['set -u', ...names.map((name) => `: "$${name}"`), 'echo all'].join('; '));
    expect(await execute(run)).toMatchObject({ exitCode: 0 });
    expect((await bench.output(run)).stdout.toString()).toBe('all\n');
  });

  test('gets its environment and its context, and nothing else of the server', async () => {
    process.env.SERVER_ONLY = 'secret';
    const run = scriptRun('env; echo; cat "$REVEILLE_CONTEXT_FILE"; pwd', {
      context: { wakeReason: 'a "test"' },
      sessionId: 'session-1',
    });
    run.adapterConfig['env'] = { MODE: 'fast', LANG: 'C' };
    await execute(run);
    const text = (await bench.output(run)).stdout.toString();
    const [variables, rest] = text.split('\n\n');
    const env = Object.fromEntries(variables!.split('\n').map((line) => line.split(/=(.*)/s).slice(0, 2)));
    expect(env).toMatchObject({
      MODE: 'fast',
      LANG: 'C',
      REVEILLE_API_URL: 'http://127.0.0.1:7717',
      REVEILLE_AGENT_ID: run.agentId,
      REVEILLE_COMPANY_ID: run.companyId,
      REVEILLE_RUN_ID: run.runId,
      REVEILLE_SESSION_ID: 'session-1',
    });
    expect(env['REVEILLE_API_KEY']).toMatch(/^\*{20,}$/);
    expect(text).not.toContain('SERVER_ONLY');
    expect(
      Object.keys(env)
        .filter((name) => name.toLowerCase().startsWith('reveille_'))
        .sort(),
    ).toEqual([
      'REVEILLE_AGENT_ID',
      'REVEILLE_API_KEY',
      'REVEILLE_API_URL',
      'REVEILLE_COMPANY_ID',
      'REVEILLE_CONTEXT_FILE',
      'REVEILLE_EVENTS_FILE',
      'REVEILLE_RESULT_FILE',
      'REVEILLE_RUN_ID',
      'REVEILLE_SESSION_ID',
    ]);
    expect(rest).toContain('{"wakeReason":"a \\"test\\""}');
    expect(rest).toContain(`/runs/${run.runId}/work`);
  });

  test('reads its stdin from a file, or nothing', async () => {
    const given = claimedRun(
      { command: 'cat', stdin: 'prompt: {{context.task}}' },
      { context: { task: 'fix it' } },
    );
    await execute(given);
    expect((await bench.output(given)).stdout.toString()).toBe('prompt: fix it');
    const none = claimedRun({ command: 'cat' });
    expect(await execute(none)).toMatchObject({ exitCode: 0, log: { logBytes: 0 } });
  });

  test('and leaves something behind, has that ended two seconds later, and its own outcome kept', async () => {
    const run = scriptRun('sleep 60 & setsid sleep 60 & echo done; exit 3');
    const outcome = await execute(run);
    expect(outcome).toMatchObject({ exitCode: 3, signal: null, errorCode: null });
    const notes = (await bench.events(run)).filter(({ eventType }) => eventType === 'note');
    expect(notes).toMatchObject([{ level: 'warn', message: 'ending what the agent left behind' }]);
    expect((notes[0]!.payload as { pids: number[] }).pids).toHaveLength(2);
  });

  test('has not reached a timeout that passes while only something else of it is alive', async () => {
    const run = scriptRun('sleep 60 & exit 0', { startedAt: new Date(Date.now() - 59_000).toISOString() });
    run.limits.timeoutSec = 60;
    expect(await execute(run)).toMatchObject({ exitCode: 0, errorCode: null });
    expect(bench.authority.endings.filter(({ runId }) => runId === run.runId)).toEqual([]);
  });

  test('records what is written after the leader has gone', async () => {
    const run = scriptRun('(sleep 0.3; echo late) & echo early');
    expect(await execute(run)).toMatchObject({ exitCode: 0 });
    expect((await bench.output(run)).stdout.toString()).toBe('early\nlate\n');
  });
});

describe('a command that cannot be executed', () => {
  const here = __filename;
  test.each([
    ['an unknown command', { command: 'no-such-command' }, /no-such-command: not found in PATH/],
    ['a missing file', { command: '/no/such/file' }, /no such file/],
    ['a file without the x-bit', { command: here }, /not executable/],
    [
      'a missing working directory',
      { command: 'true', cwd: '/no/such/folder' },
      /working directory.*does not exist/,
    ],
    ['a file as working directory', { command: 'true', cwd: here }, /working directory.*not a folder/],
    ['an argument that is too long', { command: 'true', args: ['x'.repeat(200_000)] }, /E2BIG/],
  ])('%s is spawn_failed', async (_name, config, message) => {
    const run = claimedRun(config);
    const outcome = await execute(run);
    expect(outcome).toMatchObject({
      exitCode: null,
      exitedAt: null,
      errorCode: 'spawn_failed',
      log: { logBytes: 0 },
    });
    expect(outcome.error).toMatch(message);
    const errors = (await bench.events(run)).filter(({ eventType }) => eventType === 'error');
    expect(errors).toMatchObject([{ level: 'error', message: outcome.error }]);
  });

  test('an interpreter that is not there is spawn_failed, found out by the wrapper', async () => {
    const run = scriptRun('printf "#!/no/such/interpreter\\n" > "$0"; chmod +x "$0"');
    const script = join(bench.folder, 'broken-script');
    run.adapterConfig['args'] = [...(run.adapterConfig['args'] as string[]), script];
    await execute(run);
    expect(await execute(claimedRun({ command: script }))).toMatchObject({ errorCode: 'spawn_failed' });
  });

  test('an unknown adapter is adapter_unknown', async () => {
    const run = claimedRun({}, { adapterType: 'telepathy' });
    expect(await execute(run)).toMatchObject({ errorCode: 'adapter_unknown', log: { logBytes: 0 } });
    expect((await bench.events(run)).map(({ message }) => message)).toEqual([
      'run queued',
      'run started',
      'There is no adapter of type telepathy',
    ]);
  });

  test('an adapter that throws is adapter_failed with its message', async () => {
    const run = claimedRun({ command: 'true', args: ['{{context.text}}'] }, { context: { text: 'a\0b' } });
    expect(await execute(run)).toMatchObject({
      errorCode: 'adapter_failed',
      error: expect.stringContaining('NUL') as string,
    });
  });
});

describe('the result file', () => {
  test('becomes the report', async () => {
    const result = {
      usage: { inputTokens: 10, outputTokens: 2 },
      costUsd: 0.0123456,
      model: 'm',
      sessionId: 's-2',
      resultJson: { ok: [1] },
      state: { n: 1 },
      unknown: 1,
    };
    const run = claimedRun({
      command: 'sh',
      args: ['-c', 'cat > "$REVEILLE_RESULT_FILE"; exit 1'],
      stdin: JSON.stringify(result),
    });
    expect(await execute(run)).toMatchObject({
      exitCode: 1,
      report: {
        usage: { inputTokens: 10, outputTokens: 2, cachedInputTokens: 0 },
        costMicros: 12346,
        provider: null,
        model: 'm',
        sessionId: 's-2',
        clearSession: false,
        resultJson: { ok: [1] },
        state: { n: 1 },
      },
    });
  });

  test.each([
    ['not JSON', 'printf "{"'],
    ['too large', 'head -c 1100000 /dev/zero'],
  ])('that is %s is an error event, and no more', async (_name, script) => {
    const run = scriptRun(`${script} > "$REVEILLE_RESULT_FILE"`);
    expect(await execute(run)).toMatchObject({ exitCode: 0, errorCode: null, report: null });
    expect(await bench.events(run)).toContainEqual(
      expect.objectContaining({
        eventType: 'error',
        message: expect.stringContaining('result file') as string,
      }),
    );
  });

  test('that is a pipe does not hold anything up', async () => {
    const run = scriptRun('mkfifo "$REVEILLE_RESULT_FILE" "$REVEILLE_EVENTS_FILE"');
    expect(await execute(run)).toMatchObject({ exitCode: 0, report: null });
    const errors = (await bench.events(run)).filter(({ eventType }) => eventType === 'error');
    expect(errors.map(({ message }) => message)).toEqual([
      expect.stringContaining('not a regular file'),
      expect.stringContaining('not a regular file'),
    ]);
  });

  test('with a wrong field names it, and the other fields count', async () => {
    const run = scriptRun(
      `echo '{"usage": {"inputTokens": "many"}, "model": "m"}' > "$REVEILLE_RESULT_FILE"`,
    );
    expect((await execute(run)).report).toMatchObject({ usage: null, model: 'm' });
    expect(await bench.events(run)).toContainEqual(
      expect.objectContaining({ message: expect.stringContaining('usage.inputTokens') as string }),
    );
  });
});

describe('the events file', () => {
  test('is booked line by line, while the run goes on', async () => {
    const go = join(bench.folder, 'go');
    const run = scriptRun(
      `echo '{"type":"usage","inputTokens":5,"outputTokens":1,"costUsd":0.5}' >> "$REVEILLE_EVENTS_FILE"
       until [ -e '${go}' ]; do sleep 0.02; done
       printf '{"type":"note","message":"half' >> "$REVEILLE_EVENTS_FILE"
       printf ' a line","payload":{"n":1}}\\n{"type":"note","message":"no line feed"}' >> "$REVEILLE_EVENTS_FILE"`,
    );
    runs.push(run);
    await bench.start(run);
    const stream = `run-${run.companyId}.${run.runId}`;
    const usage = await bench.untilEvent(stream, ({ type, data }) =>
      type === 'UsageBooked' ? data : undefined,
    );
    expect(JSON.parse(usage as string)).toMatchObject({
      eventType: 'usage',
      payload: { inputTokens: 5, outputTokens: 1, cachedInputTokens: 0, costMicros: 500_000 },
    });
    expect(bench.authority.outcomes.has(run.runId)).toBe(false);
    await bench.execute(scriptRun(`: > '${go}'`));
    await bench.outcomeOf(run);
    const notes = (await bench.events(run)).filter(({ eventType }) => eventType === 'note');
    expect(notes).toMatchObject([{ message: 'half a line', payload: { n: 1 } }, { message: 'no line feed' }]);
  });

  test('with malformed lines gives a few error events, and the good lines count', async () => {
    const run = scriptRun(
      `for i in 1 2 3 4 5 6 7 8; do echo "bad $i"; done > "$REVEILLE_EVENTS_FILE"
       head -c 100000 /dev/zero | tr '\\0' x >> "$REVEILLE_EVENTS_FILE"
       printf '\\n{"type":"usage","inputTokens":-1}\\n{"type":"note","message":"good"}\\n' >> "$REVEILLE_EVENTS_FILE"`,
    );
    expect(await execute(run)).toMatchObject({ exitCode: 0, errorCode: null });
    const events = await bench.events(run);
    expect(events.filter(({ eventType }) => eventType === 'error')).toHaveLength(5);
    expect(events.filter(({ eventType }) => eventType === 'note')).toMatchObject([{ message: 'good' }]);
  });
});

describe('an ending', () => {
  const started = async (run: ClaimedRun) => {
    runs.push(run);
    await bench.start(run);
    await bench.untilOutput(run, 'ready');
  };

  test('is SIGTERM, which the agent dies of', async () => {
    const run = scriptRun('echo ready; exec sleep 60');
    await started(run);
    bench.runner.end(run.runId, 'cancel');
    bench.runner.end(run.runId, 'pause');
    expect(await bench.outcomeOf(run)).toMatchObject({ exitCode: 143, signal: 'SIGTERM', errorCode: null });
  });

  test('lets the agent catch SIGTERM and exit as it likes', async () => {
    const run = scriptRun('trap "echo caught; exit 7" TERM; echo ready; while :; do sleep 0.05; done');
    await started(run);
    bench.runner.end(run.runId, 'cancel');
    expect(await bench.outcomeOf(run)).toMatchObject({ exitCode: 7, signal: null });
    expect((await bench.output(run)).stdout.toString()).toBe('ready\ncaught\n');
  });

  test('is SIGKILL after the grace period, which is still known', async () => {
    const run = scriptRun('trap "" TERM; echo ready; while :; do sleep 0.05; done');
    run.limits.graceSec = 0.3;
    await started(run);
    const before = Date.now();
    bench.runner.end(run.runId, 'cancel');
    expect(await bench.outcomeOf(run)).toMatchObject({ exitCode: 137, signal: 'SIGKILL', errorCode: null });
    expect(Date.now() - before).toBeGreaterThanOrEqual(300);
  });

  test('reaches what left the process group, and what it started', async () => {
    const run = scriptRun(
      `setsid sh -c 'sleep 60 & env -i sleep 60 & echo "ready $! "; wait' & trap '' TERM; while :; do sleep 0.05; done`,
    );
    run.limits.graceSec = 0.3;
    runs.push(run);
    await bench.start(run);
    const unmarked = Number(/ready (\d+) /.exec(await bench.untilOutput(run, ' \n'))![1]);
    expect(await processTreeOf(run.runId, null).living()).toContain(unmarked);
    bench.runner.end(run.runId, 'cancel');
    expect(await bench.outcomeOf(run)).toMatchObject({ signal: 'SIGKILL' });
    expect(livingProcess(unmarked)).toBeNull();
  });

  test('before anything was executed leaves nothing to be executed', async () => {
    const ran = join(bench.folder, 'ran');
    const run = scriptRun(`: > '${ran}'`);
    await bench.start(run);
    bench.runner.end(run.runId, 'cancel');
    expect(await bench.outcomeOf(run)).toMatchObject({ exitCode: null, exitedAt: null, errorCode: null });
    expect(existsSync(ran)).toBe(false);
  });

  test('comes with the timeout, once that is on the log', async () => {
    const run = scriptRun('echo ready; exec sleep 60', {
      startedAt: new Date(Date.now() - 59_500).toISOString(),
    });
    run.limits.timeoutSec = 60;
    expect(await execute(run)).toMatchObject({ exitCode: 143, signal: 'SIGTERM' });
    expect(bench.authority.endings).toContainEqual({ runId: run.runId, cause: 'timeout' });
  });

  test('comes with silence, but not while the agent writes', async () => {
    const run = scriptRun('for i in 1 2 3 4 5 6; do echo $i >&2; sleep 0.2; done; exec sleep 60');
    run.limits.silenceTimeoutSec = 1.2;
    expect(await execute(run)).toMatchObject({ signal: 'SIGTERM' });
    expect((await bench.output(run)).stderr.toString()).toBe('1\n2\n3\n4\n5\n6\n');
    expect(bench.authority.endings).toContainEqual({ runId: run.runId, cause: 'silence' });
  });
});

describe('trouble with the spool', () => {
  test('ends the run as spool_failed where the agent deletes it', async () => {
    const run = scriptRun(
      'echo before; rm -r "$(dirname "$REVEILLE_CONTEXT_FILE")"; echo after; exec sleep 60',
    );
    const outcome = await execute(run);
    expect(outcome).toMatchObject({ errorCode: 'spool_failed', signal: 'SIGTERM' });
    expect(outcome.error).toMatch(/deleted/);
    const next = await execute(scriptRun('echo fine'));
    expect(next).toMatchObject({ exitCode: 0, errorCode: null });
  });

  test('is an error event, and no more, where the agent empties it', async () => {
    const run = scriptRun(
      'echo a longer line; until [ -e go ]; do sleep 0.02; done; echo short > /dev/stdout',
    );
    runs.push(run);
    await bench.start(run);
    await bench.untilOutput(run, 'longer');
    await bench.execute(scriptRun(`: > '${join(bench.folder, 'runs', run.runId, 'work', 'go')}'`));
    expect(await bench.outcomeOf(run)).toMatchObject({ exitCode: 0, errorCode: null });
    expect((await bench.output(run)).stdout.toString()).toBe('a longer line\nshort\n');
    expect(await bench.events(run)).toContainEqual(expect.objectContaining({ eventType: 'error' }));
  });
});

test('a wrapper that somebody kills is a lost process', async () => {
  const run = scriptRun('echo ready; sleep 60; true');
  runs.push(run);
  await bench.start(run);
  await bench.untilOutput(run, 'ready');
  const pid = Number(readFileSync(join(bench.folder, 'runs', run.runId, 'pid'), 'utf8').split(' ')[0]);
  process.kill(pid, 'SIGKILL');
  expect(await bench.outcomeOf(run)).toMatchObject({
    exitCode: null,
    signal: 'SIGKILL',
    errorCode: 'process_lost',
    error: 'Process lost -- server may have restarted',
  });
  const error = (await bench.events(run)).find(({ eventType }) => eventType === 'error');
  expect(error?.payload).toMatchObject({
    nodeId: 'node-1',
    pid,
    claimId: run.claimId,
    signal: 'SIGKILL',
    lease: LEASES.present,
    lastOutput: { stdout: 'ready\n', stderr: '' },
  });
});
