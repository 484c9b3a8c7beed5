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

/** A process of which something still runs. */
export interface ProcessEntry {
  pid: number;
  parent: number;
  group: number;
  session: number;
  startTime: number;
  /** By SIGSTOP or the like: it gets no signal but SIGKILL before it is continued. */
  isStopped: boolean;
}

const STAT_BYTES = Buffer.alloc(4096);

let bootId: string | null | undefined;

/** The system's id of this boot; null where it has none. */
export function currentBootId(): string | null {
  if (bootId === undefined) bootId = readBootId();
  return bootId;
}

/** The pids of everything that is there, zombies included. */
export function listedPids(): number[] {
  return readdirSync('/proc')
    .filter((name) => name[0]! >= '0' && name[0]! <= '9')
    .map(Number);
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
  // A process whose first thread has left looks like a zombie for as long as its other threads go on (field 20).
  const threads = Number(rest[13]);
  if (state === 'X' || (state === 'Z' && threads <= 1)) return null;
  return {
    pid,
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    // Field 22 of the line; `rest` begins with field 7.
    startTime: Number(rest[15]),
    isStopped: state === 'T',
  };
}

/**
 * A variable that a process was given; null where it was not, or may not be looked into; undefined where that cannot be
 * told: it is gone, or is just about to execute something.
 */
export function variableOf(pid: number, name: string): string | null | undefined {
  try {
    const environment = readFileSync(`/proc/${pid}/environ`, 'latin1');
    if (environment === '') return undefined;
    const start = `\0${environment}`.indexOf(`\0${name}=`);
    return start < 0 ? null : environment.slice(start + name.length + 1).split('\0', 1)[0]!;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES' ? null : undefined;
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

function readBootId(): string | null {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return null;
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
