import { z } from 'zod';
import type { LocalAdapter } from '../../adapter';
import { codingAgentFields, plainVariables } from '../agent-config';
import { promptOf } from '../prompt';
import { sessionArgument } from '../session-argument';
import { CodexReader } from './codex-reader';

/** What the program's tools may touch; `bypass`: everything, without a sandbox around them. */
const sandboxes = ['read-only', 'workspace-write', 'danger-full-access', 'bypass'] as const;

const configSchema = z.strictObject({ ...codingAgentFields, sandbox: z.enum(sandboxes).optional() });

type CodexConfig = z.infer<typeof configSchema>;

/** Holds the key of the provider, unless another one is named by `env_key` in the configuration of a provider. */
const KEYS = ['OPENAI_API_KEY', 'CODEX_API_KEY'];
const OTHER_KEY = /^model_providers\..+\.env_key=["']?([A-Za-z_][A-Za-z0-9_]*)["']?$/;

/** Runs Codex without a terminal, one wakeup at a time, in a thread that goes on. */
export const codexAdapter: LocalAdapter<CodexConfig> = {
  type: 'codex_local',
  kind: 'local',
  configSchema,
  prepare(config, run) {
    const { extraArgs = [], env = {} } = config;
    const sessionId = sessionArgument(run);
    return {
      command: config.command ?? 'codex',
      args: [
        ...(sessionId === null ? ['exec'] : ['exec', 'resume']),
        ...argumentsOf(config),
        ...extraArgs,
        ...(sessionId === null ? [] : [sessionId]),
        '-',
      ],
      cwd: config.cwd ?? null,
      workspace: 'agent',
      env,
      stdin: promptOf(config.promptTemplate, run),
    };
  },
  reader: ({ model = null, env }, run, context) => new CodexReader(model, plainVariables(env), run, context),
};

function argumentsOf({
  model,
  sandbox = 'workspace-write',
  extraArgs = [],
  env = {},
}: CodexConfig): string[] {
  const keys = [...KEYS, ...extraArgs.flatMap((arg) => OTHER_KEY.exec(arg)?.[1] ?? [])];
  const hidden = keys.filter((name) => typeof env[name] === 'object');
  return [
    ...['--json', '--skip-git-repo-check'],
    ...(sandbox === 'bypass'
      ? ['--dangerously-bypass-approvals-and-sandbox']
      : setting('sandbox_mode', sandbox).concat(setting('approval_policy', 'never'))),
    ...(model === undefined ? [] : ['-m', model]),
    ...(hidden.length === 0 ? [] : setting('shell_environment_policy.exclude', hidden)),
    ...setting('check_for_update_on_startup', false),
  ];
}

/** The program takes values as TOML, of which JSON texts, lists and truth values are a part. */
function setting(name: string, value: unknown): string[] {
  return ['-c', `${name}=${JSON.stringify(value)}`];
}
