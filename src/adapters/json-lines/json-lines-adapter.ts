import { z } from 'zod';
import type { LocalAdapter } from '../adapter';
import { codingAgentFields } from '../coding-agents/agent-config';
import { promptOf } from '../coding-agents/prompt';
import { sessionArgument } from '../coding-agents/session-argument';
import { fillArguments } from '../context-template';
import { text } from '../process/process-config';
import type { Dialect } from './dialect';
import { dialectSchema } from './dialect';
import { JsonLinesReader } from './json-lines-reader';

const programSchema = z.strictObject(codingAgentFields);

type ProgramConfig = z.infer<typeof programSchema>;

/** A program that is understood by a description of its lines. */
export interface JsonLinesProgram {
  type: string;
  command: string;
  dialect: Dialect;
  /** Set unless the configuration says otherwise. */
  env: Readonly<Record<string, string>>;
  arguments(config: ProgramConfig, sessionId: string | null): string[];
  /** What the configured model says of provider and model, as the ledger names them. */
  modelOf(model: string | undefined): { provider: string | null; model: string | null };
}

/** The adapter of such a program. */
export function jsonLinesProgram(program: JsonLinesProgram): LocalAdapter<ProgramConfig> {
  return {
    type: program.type,
    kind: 'local',
    configSchema: programSchema,
    prepare: (config, run) => ({
      command: config.command ?? program.command,
      args: [...program.arguments(config, sessionArgument(run)), ...(config.extraArgs ?? [])],
      cwd: config.cwd ?? null,
      workspace: 'agent',
      env: { ...program.env, ...config.env },
      stdin: promptOf(config.promptTemplate, run),
    }),
    reader: ({ model }) =>
      new JsonLinesReader(program.dialect, { name: program.command, ...program.modelOf(model) }),
  };
}

const { extraArgs: _extraArgs, command: _command, ...sharedFields } = codingAgentFields;

const configSchema = z.strictObject({
  ...sharedFields,
  command: text.min(1, 'must not be empty'),
  /** `{{context.x}}` is filled in. */
  args: z.array(text).optional(),
  /** Follow `args` where there is a session to go on with, with `{{session}}` filled in. */
  resumeArgs: z.array(text).optional(),
  output: dialectSchema,
});

type JsonLinesConfig = z.infer<typeof configSchema>;

/** Any program that takes a prompt by stdin and writes a JSON object a line, described by its configuration. */
export const jsonLinesAdapter: LocalAdapter<JsonLinesConfig> = {
  type: 'json_lines_local',
  kind: 'local',
  configSchema,
  prepare(config, run) {
    const { args = [], resumeArgs = [] } = config;
    const sessionId = sessionArgument(run);
    const resumed =
      sessionId === null ? [] : resumeArgs.map((arg) => arg.replaceAll('{{session}}', sessionId));
    return {
      command: config.command,
      args: [...fillArguments(args, run.context), ...resumed],
      cwd: config.cwd ?? null,
      workspace: 'agent',
      env: config.env ?? {},
      stdin: promptOf(config.promptTemplate, run),
    };
  },
  reader: ({ output, command, model = null }) =>
    new JsonLinesReader(output, { name: command, provider: null, model }),
};
