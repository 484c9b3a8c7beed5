import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';

/**
 * What tells a process from every other one that this machine ever ran. Boot id and start time are null where the
 * system has no /proc: then a pid is all there is.
 */
export interface ProcessIdentity {
  bootId: string | null;
  pid: number;
  /** Clock ticks since boot. */
  startTime: number | null;
  pgid: number;
}

/** A process that is not a zombie. */
export interface ProcessEntry {
  pid: number;
  parent: number;
  group: number;
  session: number;
  startTime: number;
}

const STAT_BYTES = Buffer.alloc(4096);

/** The system's id of this boot; null where it has none. */
export function currentBootId(): string | null {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return null;
  }
}

/**
 * Every living process. Synchronous on purpose: some 10 µs each, and nothing else happens between the scan and the
 * signals that follow it.
 */
export function livingProcesses(): ProcessEntry[] {
  return readdirSync('/proc')
    .filter((name) => name[0]! >= '0' && name[0]! <= '9')
    .map((name) => livingProcess(Number(name)))
    .filter((entry) => entry !== null);
}

/** A process of that pid; null where there is none, or only a zombie that nobody has waited for. */
export function livingProcess(pid: number): ProcessEntry | null {
  try {
    return parseStat(pid, readStat(pid));
  } catch {
    return null;
  }
}

/** Reads a line of /proc/<pid>/stat. The name in parentheses may contain anything, parentheses included. */
export function parseStat(pid: number, stat: string): ProcessEntry | null {
  const [state, parent, group, session, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (state === 'Z' || state === 'X') return null;
  return {
    pid,
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    // Field 22 of the line; `rest` begins with field 7.
    startTime: Number(rest[15]),
  };
}

/** Whether a process was given this variable. False for a process that may not be looked into. */
export function hasInEnvironment(pid: number, assignment: string): boolean {
  try {
    return `\0${readFileSync(`/proc/${pid}/environ`, 'latin1')}`.includes(`\0${assignment}\0`);
  } catch {
    return false;
  }
}

/** Whether exactly this process lives. */
export function isAlive(identity: ProcessIdentity): boolean {
  if (identity.startTime === null) return answersToSignals(identity.pid);
  if (identity.bootId !== currentBootId()) return false;
  return livingProcess(identity.pid)?.startTime === identity.startTime;
}

/** Whether there is something of that pid, or with a negative one, in that process group. Zombies count. */
export function answersToSignals(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function readStat(pid: number): string {
  const file = openSync(`/proc/${pid}/stat`, 'r');
  try {
    return STAT_BYTES.toString('latin1', 0, readSync(file, STAT_BYTES));
  } finally {
    closeSync(file);
  }
}
