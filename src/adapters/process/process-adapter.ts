import type { LocalAdapter } from '../adapter';
import { fillArguments, fillFromContext } from '../context-template';
import type { ProcessConfig } from './process-config';
import { processConfigSchema } from './process-config';

/** Runs any program: a script, a binary, a CLI. */
export const processAdapter: LocalAdapter<ProcessConfig> = {
  type: 'process',
  kind: 'local',
  configSchema: processConfigSchema,
  prepare: (config, { context }) => ({
    command: config.command,
    args: fillArguments(config.args ?? [], context),
    cwd: config.cwd ?? null,
    env: config.env ?? {},
    stdin: config.stdin === undefined ? null : fillFromContext(config.stdin, context),
  }),
};
