// `node noop-server.cjs BUILD serve …`: the built program, with one more adapter that executes nothing.
const { join, resolve } = require('node:path');
const { z } = require('zod');

const [, , build, ...args] = process.argv;
const load = (name) => require(join(resolve(build), name));

const noop = {
  type: 'noop',
  kind: 'inline',
  configSchema: z.strictObject({}),
  execute: async () => undefined,
};

void load('cli/program.js').runProgram(args, (config, environmentForAgents, logger, stop) => {
  const { startServer } = load('server.js');
  const { builtInAdapters } = load('node.js');
  const adapters = [...builtInAdapters, noop];
  return startServer(config, environmentForAgents, logger, undefined, { stop, adapters });
});
