import type { ProcessEntry } from './process-table';
import { listedPids, livingProcess, variableOf } from './process-table';
import { pause } from '../kernel/pause';

/** The variable that every process of a run inherits, and that finds those which left group and session. */
export const RUN_ID_VARIABLE = 'REVEILLE_RUN_ID';

/** Looking takes at most this share of the time of the one thread that does everything: 1 of so many parts. */
const REST_PER_LOOK = 4;
const LONGEST_REST_MS = 100;
/** The same for looks that nobody is in a hurry for. */
const IDLE_REST_PER_LOOK = 50;
/** A machine on which more than so many listings in a row name the dead is busy with something else than one run. */
const MAX_LISTINGS = 8;
/** So old a process is no longer about to be given its environment by the program that started it. */
const SETTLED_MS = 2_000;
/** Of the kernel's own threads, which have no environment. */
const KERNEL_GROUP = 0;

/** The processes that lived at one moment, by what makes them belong together. */
export class ProcessSnapshot {
  private readonly byPid = new Map<number, ProcessEntry>();
  private readonly byParent = new Map<number, ProcessEntry[]>();
  private readonly byGroup = new Map<number, ProcessEntry[]>();
  private readonly bySession = new Map<number, ProcessEntry[]>();
  private readonly byRun = new Map<string, ProcessEntry[]>();

  /** @param runIdOf the run whose mark a process carries; null where it carries none */
  constructor(processes: readonly ProcessEntry[], runIdOf: (process: ProcessEntry) => string | null) {
    for (const process of processes) {
      this.byPid.set(process.pid, process);
      add(this.byParent, process.parent, process);
      add(this.byGroup, process.group, process);
      add(this.bySession, process.session, process);
      const runId = runIdOf(process);
      if (runId !== null) add(this.byRun, runId, process);
    }
  }

  get(pid: number): ProcessEntry | undefined {
    return this.byPid.get(pid);
  }

  pids(): Iterable<number> {
    return this.byPid.keys();
  }

  marked(runId: string): readonly ProcessEntry[] {
    return this.byRun.get(runId) ?? [];
  }

  /** Those in the process group, and those in the session, that a leader of this pid has made. */
  ledBy(pid: number): readonly ProcessEntry[] {
    return [...(this.byGroup.get(pid) ?? []), ...(this.bySession.get(pid) ?? [])];
  }

  /** These and all that descends from them, but for this process. */
  withDescendants(roots: Iterable<ProcessEntry>): ProcessEntry[] {
    const found = new Set<ProcessEntry>();
    const open = [...roots];
    for (let next = open.pop(); next; next = open.pop()) {
      if (found.has(next) || next.pid === process.pid) continue;
      found.add(next);
      open.push(...(this.byParent.get(next.pid) ?? []));
    }
    return [...found];
  }
}

/**
 * Looks at all processes of the machine at once, for everybody who wants to know about some of them. A thousand runs
 * that end together cost a few looks, not thousands.
 */
export class ProcessWatch {
  private readonly marks = new RunMarks();
  private coming: Promise<ProcessSnapshot> | null = null;
  private last: ProcessSnapshot | null = null;
  private lastEndedAtMs = -Infinity;
  private lastTookMs = 0;

  /** What lives now: the look is taken after the call, and those who ask meanwhile share it. */
  now(): Promise<ProcessSnapshot> {
    this.coming ??= this.look();
    return this.coming;
  }

  /** What lived a short while ago, at least about `ageMs`; the more there is to see, the longer ago. */
  lately(ageMs: number): Promise<ProcessSnapshot> {
    const acceptedMs = Math.max(ageMs, this.lastTookMs * IDLE_REST_PER_LOOK);
    const isRecent = performance.now() - this.lastEndedAtMs < acceptedMs;
    return this.last !== null && isRecent ? Promise.resolve(this.last) : this.now();
  }

  private async look(): Promise<ProcessSnapshot> {
    const restMs = Math.min(this.lastTookMs * REST_PER_LOOK, LONGEST_REST_MS);
    const leftMs = this.lastEndedAtMs + restMs - performance.now();
    if (leftMs > 0) await pause(leftMs, NEVER);
    else await new Promise((resolve) => setImmediate(resolve));
    this.coming = null;
    const startedAtMs = performance.now();
    this.last = new ProcessSnapshot(this.livingProcesses(), (process) => this.marks.of(process) ?? null);
    this.lastEndedAtMs = performance.now();
    this.lastTookMs = this.lastEndedAtMs - startedAtMs;
    this.marks.forgetTheDead(this.last);
    return this.last;
  }

  /**
   * Every living process. Synchronous on purpose: some 15 µs each, and nothing else happens meanwhile. What has forked
   * and died between being listed and being looked at may have left a child that was not there to be listed: so
   * processes are listed again until nothing new is found dead, or about to become something else.
   */
  private livingProcesses(): ProcessEntry[] {
    const found: ProcessEntry[] = [];
    const settled = new Set<number>();
    for (let listing = 1, isSure = false; listing <= MAX_LISTINGS && !isSure; listing++) {
      isSure = true;
      for (const pid of listedPids()) {
        if (settled.has(pid)) continue;
        const process = livingProcess(pid);
        const isKnown = process !== null && this.marks.of(process) !== undefined;
        if (!isKnown) isSure = false;
        if (process && (isKnown || listing === MAX_LISTINGS)) found.push(process);
        if (!process || isKnown) settled.add(pid);
      }
    }
    return found;
  }
}

/** Which runs processes belong to. Who carried a mark once does so for life, also when it clears its environment. */
class RunMarks {
  private readonly known = new Map<number, { startTime: number; runId: string | null; seenAtMs: number }>();

  /** Null for a process of no run; undefined where that cannot be told at this moment. */
  of({ pid, startTime, group }: ProcessEntry): string | null | undefined {
    if (group === KERNEL_GROUP) return null;
    const known = this.known.get(pid);
    const isSame = known?.startTime === startTime;
    if (isSame && (known.runId !== null || performance.now() - known.seenAtMs > SETTLED_MS))
      return known.runId;
    const runId = variableOf(pid, RUN_ID_VARIABLE);
    const seenAtMs = isSame ? known.seenAtMs : performance.now();
    this.known.set(pid, { startTime, runId: runId ?? null, seenAtMs });
    return runId;
  }

  forgetTheDead(living: ProcessSnapshot): void {
    for (const pid of this.known.keys()) if (!living.get(pid)) this.known.delete(pid);
  }
}

/** One for all runs of this process. */
export const processWatch = new ProcessWatch();

const NEVER = new AbortController().signal;

function add<K>(index: Map<K, ProcessEntry[]>, key: K, process: ProcessEntry): void {
  const entries = index.get(key);
  if (entries) entries.push(process);
  else index.set(key, [process]);
}
