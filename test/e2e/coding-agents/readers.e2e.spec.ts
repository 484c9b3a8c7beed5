import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type {
  Adapter,
  LocalAdapter,
  LocalInvocation,
  OutputFact,
  OutputReader,
} from '../../../src/adapters/adapter';
import { processAdapter } from '../../../src/adapters/process/process-adapter';
import { CodingAgentBench, PROVIDER_KEY } from '../../support/coding-agents/coding-agent-bench';
import { temporaryFolder } from '../../support/temporary-folder';
import { Gate } from '../http/client';

const silent = () => ({ status: 500, message: 'nobody asks' });
const configSchema = z.object({ script: z.string() });

/** A shell script whose output is understood by a reader of the test's own. */
function scripted(
  type: string,
  reader: () => Partial<OutputReader>,
  more: Partial<LocalInvocation> = {},
): Adapter {
  const adapter: LocalAdapter<z.infer<typeof configSchema>> = {
    ...{ type, kind: 'local', configSchema },
    prepare: ({ script }) => ({
      ...{ command: '/bin/sh', args: ['-c', script], cwd: null, env: {}, stdin: null, ...more },
    }),
    reader: () => ({ line: () => [], result: () => ({}), ...reader() }),
  };
  return adapter;
}

const usage = (outputTokens: number): OutputFact => ({
  ...{ type: 'usage', inputTokens: 0, outputTokens, cachedInputTokens: 0, costUsd: outputTokens },
});
/** Each line is a number of tokens. */
const counting = () => ({ line: (text: string) => [usage(Number(text))] });

const journalPath = join(temporaryFolder(), 'journal');

const adapters = [
  processAdapter,
  scripted('counting', counting),
  scripted('touchy', () => ({
    line(text) {
      if (text.startsWith('bad')) throw new Error(`cannot stand ${text}`);
      return [usage(1)];
    },
  })),
  scripted('strange', () => ({
    line: () => [{ type: 'miracle' } as never],
    result: () => ({ errorMessage: 5, sessionId: 'kept' }) as never,
  })),
  scripted('failing', () => ({
    result: () => {
      throw new Error('no idea');
    },
  })),
  scripted(
    'chatty',
    () => ({
      line: (text) => [
        { type: 'session', sessionId: text },
        { type: 'note', level: 'warn', message: `heard ${text}` },
      ],
      result: () => ({ errorMessage: 'the reader says so', resultJson: 'the reader', model: 'm' }),
    }),
    { env: { KEY: { secret: 'provider-key' } } },
  ),
  scripted('filed', () => ({}), { envFiles: { KEY_FILE: { secret: 'provider-key' } } }),
  scripted('journaling', () => ({
    journal: {
      find: async () => journalPath,
      line: (text) => [usage(Number(text))],
    },
  })),
];

let bench: CodingAgentBench;
beforeAll(async () => {
  bench = await CodingAgentBench.open(temporaryFolder(), adapters);
});
afterAll(() => bench.close());

async function run(type: string, script: string) {
  const ended = await bench.wake(await bench.agent(type, { script }), '', silent);
  return { ended, events: await bench.events(ended.id) };
}

const errorsIn = (events: readonly { eventType: string; message: string }[]) =>
  events.filter(({ eventType }) => eventType === 'error').map(({ message }) => message);

test('a line that a reader throws for costs that line, and the first few are said', async () => {
  const { ended, events } = await run('touchy', 'for i in 1 2 3 4 5 6 7; do echo bad $i; echo good; done');
  expect(ended).toMatchObject({ status: 'succeeded', usage: { outputTokens: 7 }, costMicros: 7_000_000 });
  const errors = errorsIn(events);
  expect(errors).toHaveLength(5);
  expect(errors[0]).toBe("A line of the agent's stdout could not be understood: cannot stand bad 1");
});

test('what a reader answers is checked', async () => {
  const strange = await run('strange', 'echo x');
  expect(errorsIn(strange.events)).toEqual([
    expect.stringContaining('there is no fact of type miracle'),
    expect.stringMatching(/malformed: errorMessage: /),
  ]);
  expect(strange.ended).toMatchObject({ status: 'succeeded', sessionIdAfter: 'kept' });
  const failing = await run('failing', 'echo x');
  expect(errorsIn(failing.events)).toEqual([expect.stringContaining('no idea')]);
  expect(failing.ended.status).toBe('succeeded');
});

test('secrets are masked in whatever a reader answers, and the result file goes before it', async () => {
  const result = '{"errorMessage": "the agent says so", "clearSession": true}';
  const { ended, events } = await run(
    'chatty',
    `echo "s-$KEY"; printf %s '${result}' >"$REVEILLE_RESULT_FILE"`,
  );
  expect(JSON.stringify(events)).not.toContain(PROVIDER_KEY);
  const stars = '*'.repeat(PROVIDER_KEY.length);
  expect(events.map(({ message }) => message)).toEqual(
    expect.arrayContaining([`session s-${stars}`, `heard s-${stars}`]),
  );
  expect(ended).toMatchObject({
    ...{ status: 'failed', error: 'the agent says so', resultJson: 'the reader', sessionIdAfter: null },
  });
});

test('a value in a file is nowhere in the environment, and masked all the same', async () => {
  const { ended } = await run('filed', 'env; stat -c %a "$KEY_FILE"; cat "$KEY_FILE"');
  expect(ended.stdoutExcerpt).not.toContain(PROVIDER_KEY);
  expect(ended.stdoutExcerpt).toMatch(/^KEY_FILE=\/.+$/m);
  expect(ended.stdoutExcerpt).toMatch(/^600\n\*+$/m);
});

test('a journal is read beside the output, and each line of both is booked once over a restart', async () => {
  writeFileSync(journalPath, '1\n');
  const gate = new Gate();
  const script = `echo 2 >>'${journalPath}'; ${gate.wait}; printf 4 >>'${journalPath}'`;
  const runId = await bench.start(await bench.agent('journaling', { script }), '', silent);
  await bench.untilBooked(runId, 2);
  await bench.restartServer();
  gate.open();
  expect(await bench.ended(runId)).toMatchObject({ usage: { outputTokens: 7 }, costMicros: 7_000_000 });
  expect(readFileSync(journalPath, 'utf8')).toBe('1\n2\n4');
});

test('an agent cannot make the server pass over what it uses', async () => {
  const gate = new Gate();
  const note =
    '{"type": "note", "message": "x", "payload": {"stdoutReadTo": 1000000, "missingSessionId": "x"}}';
  const script = `echo '${note}' >>"$REVEILLE_EVENTS_FILE"; echo 1; ${gate.wait}; echo 2`;
  const runId = await bench.start(await bench.agent('counting', { script }), '', silent);
  await bench.untilBooked(runId, 1);
  await bench.untilNoted(runId, 'x');
  await bench.restartServer();
  gate.open();
  expect(await bench.ended(runId)).toMatchObject({ usage: { outputTokens: 3 }, costMicros: 3_000_000 });
});

test('whoever empties its output is understood no further, and that is said', async () => {
  const { ended, events } = await run('counting', 'echo 1; sleep 0.5; : >/dev/stdout; sleep 0.5; echo 2');
  expect(ended.status).toBe('succeeded');
  expect(errorsIn(events)).toContainEqual(expect.stringContaining('understood no further'));
});
