import { createRequire } from 'node:module';
import { BuildFailed, ensureBuilt, isCheckout } from './builder.mjs';

/** Runs `dist/main.js`, which reads `process.argv`; in a checkout builds it first where the sources have changed. */
export async function launch() {
  if (isCheckout()) {
    try {
      await ensureBuilt();
    } catch (error) {
      if (!(error instanceof BuildFailed)) throw error;
      console.error(`reveille: ${error.message}`);
      process.exit(1);
    }
  }
  createRequire(import.meta.url)('../dist/main.js');
}
