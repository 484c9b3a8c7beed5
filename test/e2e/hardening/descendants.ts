import { readdirSync, readFileSync } from 'node:fs';

/** A process, as everybody of the same user sees it. */
export interface SeenProcess {
  pid: number;
  parent: number;
  commandLine: string;
}

/** All processes of this machine that can be seen now. */
export function seenProcesses(): SeenProcess[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // The second field, the program's name, may contain anything.
      const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      return [{ pid: Number(pid), parent: Number(parent), commandLine }];
    } catch {
      // It has ended meanwhile.
      return [];
    }
  });
}

/** What a process has started, directly or not. */
export function descendantsOf(pid: number): SeenProcess[] {
  const all = seenProcesses();
  const found = new Set([pid]);
  for (let size = 0; size !== found.size;) {
    size = found.size;
    for (const { pid: child, parent } of all) if (found.has(parent)) found.add(child);
  }
  return all.filter((process) => process.pid !== pid && found.has(process.pid));
}

/** As the process was started with it; null where it has ended meanwhile. */
export function environmentOf(pid: number): Record<string, string> | null {
  const entries = environ(pid)
    ?.split('\0')
    .filter((entry) => entry.includes('='));
  if (entries === undefined) return null;
  return Object.fromEntries(
    entries.map((entry) => [entry.split('=', 1)[0], entry.slice(entry.indexOf('=') + 1)]),
  );
}

function environ(pid: number): string | null {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8');
  } catch {
    return null;
  }
}
