// `npm test`: jest, in a world of its own choosing. `--event-log=embedded|eventstoredb` and `--documents=embedded|mongodb`
// say which stores the servers under test use (see test/support/world.ts); everything else goes to jest.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { constants } from 'node:os';

const worlds = { 'event-log': ['embedded', 'eventstoredb'], documents: ['embedded', 'mongodb'] };

const environment = { ...process.env };
const forJest = process.argv.slice(2).filter((argument) => {
  const [, name, value] = /^--(event-log|documents)=(.*)$/.exec(argument) ?? [];
  if (name === undefined) return true;
  if (!worlds[name].includes(value)) {
    console.error(`--${name}: ${value} is none of ${worlds[name].join(', ')}`);
    process.exit(2);
  }
  environment[`REVEILLE_TEST_${name.toUpperCase().replace('-', '_')}`] = value;
  return false;
});

const jest = createRequire(import.meta.url).resolve('jest/bin/jest');
const child = spawn(process.execPath, [jest, ...forJest], { stdio: 'inherit', env: environment });
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
