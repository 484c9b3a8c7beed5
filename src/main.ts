import { runProgram } from './cli/program';

// The server takes half a second to load: not for those who only want to ask one.
void runProgram(process.argv.slice(2), async (config, environmentForAgents, logger, stop) => {
  const { startServer } = await import('./server.js');
  return startServer(config, environmentForAgents, logger, undefined, { stop });
});
