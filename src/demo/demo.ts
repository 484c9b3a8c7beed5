import { join, relative } from 'node:path';
import { printLines, say } from '../cli/output';
import { ReveilleClient } from '../client';
import { readClientConfig } from '../config';
import { ADMIN_TOKEN_FILE } from '../data-folder';
import type { Told } from './story';
import { tellStory } from './story';

export interface DemoOptions {
  url: string;
  adminToken: string;
  dataDir: string;
  /** The server goes on after the demo: then it is also said what to do next. */
  staysUp: boolean;
  /** Breaks the demo off. */
  stop: AbortSignal;
}

/** Shows a newcomer what Reveille does, through its HTTP API only. Answers whether all went as told; never throws. */
export async function demonstrate(options: DemoOptions): Promise<boolean> {
  const { url, adminToken, dataDir, staysUp, stop } = options;
  try {
    const told = await tellStory(new ReveilleClient({ url, token: adminToken }), stop);
    for (const surprise of told.surprises) say(`demo: not as told: ${surprise}`);
    if (staysUp) printLines(whatNext(told, url, dataDir));
    return told.surprises.length === 0;
  } catch (error) {
    if (!stop.aborted) say(`demo: broken off: ${(error as Error).message}`);
    return false;
  }
}

function whatNext({ companyId, proofreaderId, failedRunId }: Told, url: string, dataDir: string): string[] {
  const command = (...args: string[]) => `  ${commandLine(args, url, dataDir)}`;
  const payload = JSON.stringify({ text: 'Is this this yours?' });
  return [
    '',
    'The server goes on:',
    `  address      ${url}`,
    `  admin token  ${join(dataDir, ADMIN_TOKEN_FILE)}`,
    '',
    'Try next, in another terminal:',
    command('runs', '--company', companyId),
    command('run', 'log', failedRunId),
    command('wake', proofreaderId, '--follow', '--payload', payload),
    '',
    'Ctrl-C stops the server. Agents that are at work then go on, and it finds them when it starts again.',
  ];
}

/** A command to copy: it says where the server is, unless that is where the command looks anyway. */
function commandLine(args: readonly string[], url: string, dataDir: string): string {
  const byDefault = readClientConfig({}, {});
  const inCheckout = relative(process.cwd(), join(__dirname, '..', '..', 'bin', 'reveille.mjs'));
  const all = [
    'node',
    inCheckout,
    ...args,
    ...(url === byDefault.url ? [] : ['--url', url]),
    ...(dataDir === byDefault.dataDir ? [] : ['--data-dir', dataDir]),
  ];
  return all.map(quoted).join(' ');
}

/** For a POSIX shell. */
function quoted(word: string): string {
  return /^[\w./:@=+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
