import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface MarkedProcess {
  pid: number;
  commandLine: string;
  /** The folder of the test file that started it, where it can be told. */
  startedBy: string | null;
}

/**
 * The processes, other than this one and its test workers, whose environment, arguments or working folder name the
 * marker. Only Linux tells; elsewhere the answer is empty.
 */
export function findMarkedProcesses(marker: string): MarkedProcess[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid)
    .map((pid) => inspect(pid, marker))
    .filter((found) => found !== null)
    .filter(({ commandLine }) => !commandLine.includes('jest-worker/build/workers/processChild.js'));
}

/** Waits until no marked process is left, at most `timeoutMs`. */
export async function waitUntilGone(marker: string, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (findMarkedProcesses(marker).length > 0 && Date.now() < deadline) await sleep(50);
}

export function describeProcess({ pid, commandLine, startedBy }: MarkedProcess): string {
  return `process ${pid}${startedBy ? ` of ${startedBy}` : ''}: ${commandLine}`;
}

function inspect(pid: number, marker: string): MarkedProcess | null {
  const commandLine = readProc(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
  const traces = [
    commandLine,
    readProc(() => readFileSync(`/proc/${pid}/environ`, 'utf8')),
    readProc(() => readlinkSync(`/proc/${pid}/cwd`)),
  ].join('\0');
  if (!traces.includes(marker)) return null;
  const [, startedBy = null] = new RegExp(`${marker}/([^/\\0]+)`).exec(traces) ?? [];
  return { pid, commandLine: commandLine.split('\0').join(' ').trim(), startedBy };
}

/** Empty where the process is gone or another user's. */
function readProc(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}
