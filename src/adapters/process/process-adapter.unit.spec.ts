import type { InvocationContext } from '../adapter';
import { fillArguments, fillFromContext } from '../context-template';
import { processAdapter } from './process-adapter';
import { processConfigSchema } from './process-config';

const context = {
  name: 'Ada',
  empty: '',
  n: 0,
  nothing: null,
  list: ['x', { deep: true }],
  'dashed-key': { inner_key: 'y' },
  injected: '{{context.name}}',
};

test.each([
  ['{{context.name}}', 'Ada'],
  ['Hello {{ context.name }}{{context.name}}!', 'Hello AdaAda!'],
  ['{{context.empty}}', ''],
  ['{{context.n}}', '0'],
  ['{{context.nothing}}', 'null'],
  ['{{context.list}}', '["x",{"deep":true}]'],
  ['{{context.list.0}}', 'x'],
  ['{{context.list.1.deep}}', 'true'],
  ['{{context.dashed-key.inner_key}}', 'y'],
  ['[{{context.missing.deeper}}]', '[]'],
  ['[{{context.name.length}}]', '[]'],
  ['[{{context.constructor}}{{context.__proto__}}]', '[]'],
  ['{{context.injected}}', '{{context.name}}'],
  ['{{other.name}} {{contextual}} {context.name}', '{{other.name}} {{contextual}} {context.name}'],
])('%s becomes %s', (template, filled) => {
  expect(fillFromContext(template, context)).toBe(filled);
});

test('the context as a whole is JSON', () => {
  expect(JSON.parse(fillFromContext('{{context}}', context))).toEqual(context);
});

test('a run becomes a command, with its context in arguments and stdin', () => {
  const run: InvocationContext = { companyId: 'c', agentId: 'a', runId: 'r', sessionId: null, context };
  const args = ['--name', '{{context.name}}'];
  const config = {
    command: '{{context.name}}',
    args,
    cwd: '/tmp',
    env: { A: '{{context.n}}' },
    stdin: '{{context.n}}',
  };
  expect(processAdapter.prepare(config, run)).toEqual({
    command: '{{context.name}}',
    args: ['--name', 'Ada'],
    cwd: '/tmp',
    env: { A: '{{context.n}}' },
    stdin: '0',
  });
  expect(processAdapter.prepare({ command: 'true' }, run)).toEqual({
    command: 'true',
    args: [],
    cwd: null,
    env: {},
    stdin: null,
  });
  expect(() =>
    processAdapter.prepare(
      { command: 'true', args: ['a', '{{context.name}}'] },
      {
        ...run,
        context: { name: 'a\0' },
      },
    ),
  ).toThrow(/argument 2/);
});

const problemsOf = (config: unknown) =>
  processConfigSchema
    .safeParse(config)
    .error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? [];

test('a configuration may have everything, or only a command', () => {
  expect(problemsOf({ command: 'true' })).toEqual([]);
  const env = { PATH: '/bin', HTTP_PROXY: 'x', MAX_TOKENS: '5', KEYBOARD: 'us', TOKENIZER: 't' };
  expect(problemsOf({ command: 'sh', args: [''], cwd: '/tmp', env, stdin: '' })).toEqual([]);
});

test.each([
  [{}, 'command: '],
  [{ command: '' }, 'command: must not be empty'],
  [{ command: 'a\0b' }, 'command: must not contain a NUL character'],
  [{ command: 'true', args: 'a' }, 'args: '],
  [{ command: 'true', args: [5] }, 'args.0: '],
  [{ command: 'true', cwd: 5 }, 'cwd: '],
  [{ command: 'true', env: { A: 5 } }, 'env.A: must be a string'],
  [{ command: 'true', env: { 'A-B': 'x' } }, 'env.A-B: '],
  [{ command: 'true', env: { REVEILLE_RUN_ID: 'x' } }, 'env.REVEILLE_RUN_ID: '],
  [{ command: 'true', env: { MY_TOKEN: { secret: 5 } } }, 'env.MY_TOKEN'],
  [{ command: 'true', stdin: 5 }, 'stdin: '],
  [{ command: 'true', shell: true }, ': '],
])('%j is refused with %j', (config, problem) => {
  const problems = problemsOf(config);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(problem);
});

test.each([
  'API_KEY',
  'OPENAI_API_KEY',
  'anthropic_apikey',
  'GITHUB_TOKEN',
  'token',
  'CLIENT_SECRET',
  'SECRETS',
  'DB_PASSWORD',
  'DB_PWD',
  'SSH_PASSPHRASE',
  'GOOGLE_CREDENTIALS',
  'SSH_PRIVATE_KEY',
])('a plain value for %s is refused, since it looks like a secret', (name) => {
  expect(problemsOf({ command: 'true', env: { [name]: 'x' } })).toEqual([
    expect.stringMatching(`^env.${name}: .*looks like a secret`),
  ]);
});

describe('an argument', () => {
  const context = { option: '-rf', text: 'a -b', broken: 'a\0b' };

  test.each([
    [['{{context.text}}']],
    [['-x', '--name={{context.option}}', '-{{context.option}}']],
    [['x{{context.option}}', ' {{context.option}}']],
    [['--', '{{context.option}}', 'x', '{{context.option}}']],
    [['{{context.missing}}']],
  ])('%j is what was configured, completed', (templates) => {
    expect(fillArguments(templates, context)).toHaveLength(templates.length);
  });

  test.each([
    [['a', '{{context.option}}'], /^argument 2 begins with "-"/],
    [['{{context.missing}}{{context.option}}x'], /^argument 1 begins with "-"/],
    [['{{context.option}}', '--'], /^argument 1 begins with "-"/],
    [['--', 'x={{context.broken}}'], /^argument 2 contains a NUL/],
  ])('%j is refused', (templates, message) => {
    expect(() => fillArguments(templates, context)).toThrow(message);
  });
});
