import { z } from 'zod';
import type { ConfiguredValue, LocalAdapter } from '../../adapter';
import { codingAgentFields } from '../agent-config';
import { promptOf } from '../prompt';
import { sessionArgument } from '../session-argument';
import { ClaudeReader } from './claude-reader';

/** What the program may do without asking. Nobody is there to be asked: what isn't allowed is refused. */
const permissionModes = ['default', 'acceptEdits', 'plan', 'bypassPermissions'] as const;

const configSchema = z.strictObject({
  ...codingAgentFields,
  permissionMode: z.enum(permissionModes).optional(),
  maxTurns: z.number().int().min(1).max(10_000).optional(),
  appendSystemPrompt: z.string().optional(),
});

type ClaudeConfig = z.infer<typeof configSchema>;

const KEY = 'ANTHROPIC_API_KEY';
const KEY_FILE = 'ANTHROPIC_API_KEY_FILE';

/** Runs Claude Code without a terminal, one wakeup at a time, in a session that goes on. */
export const claudeAdapter: LocalAdapter<ClaudeConfig> = {
  type: 'claude_local',
  kind: 'local',
  configSchema,
  prepare(config, run) {
    const { env, envFiles } = environmentOf(config);
    return {
      command: config.command ?? 'claude',
      args: [
        ...argumentsOf(config, sessionArgument(run), envFiles !== undefined),
        ...(config.extraArgs ?? []),
      ],
      cwd: config.cwd ?? null,
      workspace: 'agent',
      env,
      ...(envFiles && { envFiles }),
      stdin: promptOf(config.promptTemplate, run),
    };
  },
  reader: () => new ClaudeReader(),
};

function argumentsOf(config: ClaudeConfig, sessionId: string | null, hasKeyFile: boolean): string[] {
  const { permissionMode = 'acceptEdits', model, maxTurns, appendSystemPrompt } = config;
  const bypasses = permissionMode === 'bypassPermissions';
  return [
    ...['-p', '--output-format', 'stream-json', '--verbose', '--include-partial-messages'],
    ...(bypasses ? ['--dangerously-skip-permissions'] : ['--permission-mode', permissionMode]),
    ...(model === undefined ? [] : ['--model', model]),
    ...(maxTurns === undefined ? [] : ['--max-turns', `${maxTurns}`]),
    ...(appendSystemPrompt === undefined ? [] : ['--append-system-prompt', appendSystemPrompt]),
    ...(hasKeyFile ? ['--settings', JSON.stringify({ apiKeyHelper: `cat "$${KEY_FILE}"` })] : []),
    ...(sessionId === null ? [] : ['--resume', sessionId]),
  ];
}

/**
 * The program hands its environment on to everything that it starts. A key that is a secret is therefore put into a
 * file that the program alone is told about.
 */
function environmentOf({ permissionMode, env = {} }: ClaudeConfig): {
  env: Record<string, ConfiguredValue>;
  envFiles?: Record<string, ConfiguredValue>;
} {
  const { [KEY]: key, ...others } = env;
  const all = {
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    // Without it root may not skip permissions, though whoever configures that has said that it is all right.
    ...(permissionMode === 'bypassPermissions' && { IS_SANDBOX: '1' }),
    ...others,
  };
  if (key === undefined) return { env: all };
  return typeof key === 'string'
    ? { env: { ...all, [KEY]: key } }
    : { env: all, envFiles: { [KEY_FILE]: key } };
}
