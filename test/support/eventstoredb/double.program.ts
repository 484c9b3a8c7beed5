// A process of its own: `node -r typescript-hook.cjs double.program.ts`. Says where the double listens, and leaves when
// its standard input ends: it does not outlive who started it.
import { startEventstoredbDouble } from './double';

void startEventstoredbDouble().then(({ url }) => {
  process.stdout.write(`${url}\n`);
  process.stdin.on('end', () => process.exit(0)).resume();
});
