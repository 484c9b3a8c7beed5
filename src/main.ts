import type { MigrateLog } from './cli/migrate.command';
import { runProgram } from './cli/program';
import type { StartServer } from './cli/serve';

// The server takes half a second to load: not for those who only want to ask one.
const startServer: StartServer = async (config, environmentForAgents, logger, stop) => {
  const server = await import('./server.js');
  return server.startServer(config, environmentForAgents, logger, undefined, { stop });
};

const migrateLog: MigrateLog = async (...args) => (await import('./migrate.js')).migrateLog(...args);

void runProgram(process.argv.slice(2), startServer, migrateLog);
