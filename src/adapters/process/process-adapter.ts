import type { LocalAdapter } from '../adapter';
import { fillFromContext } from '../context-template';
import type { ProcessConfig } from './process-config';
import { processConfigSchema } from './process-config';

/** Runs any program: a script, a binary, a CLI. */
export const processAdapter: LocalAdapter<ProcessConfig> = {
  type: 'process',
  kind: 'local',
  configSchema: processConfigSchema,
  prepare(config, { context }) {
    const args = (config.args ?? []).map((arg) => fillFromContext(arg, context));
    const broken = args.findIndex((arg) => arg.includes('\0'));
    if (broken >= 0)
      throw new Error(`argument ${broken + 1} contains a NUL character, which no program can be given`);
    return {
      command: config.command,
      args,
      cwd: config.cwd ?? null,
      env: config.env ?? {},
      stdin: config.stdin === undefined ? null : fillFromContext(config.stdin, context),
    };
  },
};
