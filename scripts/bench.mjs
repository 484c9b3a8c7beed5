// `npm run bench -- FLAGS`: builds where needed, then measures the built program.
import './node-version.mjs';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { BuildFailed, ensureBuilt } from './builder.mjs';

const pathOf = (file) => fileURLToPath(new URL(`../${file}`, import.meta.url));

try {
  await ensureBuilt();
  // The hook is an argument, so that the threads of the driver have it, too.
  const args = ['-r', pathOf('test/support/typescript-hook.cjs'), pathOf('bench/main.ts')];
  const child = spawn(process.execPath, [...args, ...process.argv.slice(2)], { stdio: 'inherit' });
  child.on('exit', (code) => (process.exitCode = code ?? 1));
} catch (error) {
  if (!(error instanceof BuildFailed)) throw error;
  console.error(`reveille: ${error.message}`);
  process.exitCode = 1;
}
