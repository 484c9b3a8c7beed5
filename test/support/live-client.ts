import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { LiveMessage } from '../../src/live/live-message';
import type { LiveClientOptions } from './live-client-process';

/** A message, as it is sent. */
export type SentMessage = ReturnType<LiveMessage['toJSON']>;

const running = new Set<ChildProcess>();

/** What a follower in a process of its own has been told so far. */
export interface LiveClient {
  messages: SentMessage[];
  /** How often its connection has broken off. */
  cuts: number;
  /** What it has complained of. */
  errors: string;
}

/** Starts a follower as a process of its own. */
export function startLiveClient(options: LiveClientOptions): LiveClient {
  const script = join(__dirname, 'live-client-process.ts');
  const args = ['-r', join(__dirname, 'typescript-hook.cjs'), script, JSON.stringify(options)];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  running.add(child);
  const client: LiveClient = { messages: [], cuts: 0, errors: '' };
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      const said = JSON.parse(line) as SentMessage | { cut: number };
      if ('cut' in said) client.cuts = said.cut;
      else client.messages.push(said);
    }
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (client.errors += text));
  child.once('close', () => running.delete(child));
  return client;
}

/** Ends the followers that were started. */
export async function killLiveClients(): Promise<void> {
  const exits = [...running].map((child) => once(child, 'close'));
  for (const child of running) child.kill('SIGKILL');
  await Promise.all(exits);
}
