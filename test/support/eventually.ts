import { setTimeout as sleep } from 'node:timers/promises';
import { PATIENCE_MS } from './world';

/** Waits until the check no longer throws. @throws what it threw last, after `timeoutMs` */
export async function eventually<T>(check: () => T | Promise<T>, timeoutMs = PATIENCE_MS): Promise<T> {
  const giveUpAt = Date.now() + timeoutMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > giveUpAt) throw error;
    }
    await sleep(5);
  }
}
