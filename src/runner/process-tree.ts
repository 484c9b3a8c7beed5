import type { ProcessEntry, ProcessIdentity } from './process-table';
import { answersToSignals, currentBootId, hasInEnvironment, isAlive, livingProcesses } from './process-table';

export type EndingSignal = 'SIGTERM' | 'SIGKILL';

/** The variable that every process of a run inherits, and that finds those which left group and session. */
export const RUN_ID_VARIABLE = 'REVEILLE_RUN_ID';

/** Everything that a run has started and that still lives. */
export interface ProcessTree {
  /** Pids, the leader's included; zombies are no longer alive. */
  living(): number[];
  /** Signals all that live, but for `sparing`. What is gone already, or belongs to somebody else, is passed over. */
  signal(signal: EndingSignal, sparing?: number): void;
}

/** Linux has /proc to find what left the group; elsewhere only the group itself is reached. */
export function processTreeOf(runId: string, leader: ProcessIdentity | null): ProcessTree {
  return currentBootId() === null ? new ProcessGroup(leader) : new LinuxProcessTree(runId, leader);
}

/**
 * Members are the leader's group and session, all that carry the run's id in their environment, and the descendants of
 * any of these.
 */
class LinuxProcessTree implements ProcessTree {
  private readonly marker: string;
  /** Null also where the leader is of another boot: then its pid means nothing. */
  private readonly leader: ProcessIdentity | null;
  private groupIsOurs: boolean;

  constructor(runId: string, leader: ProcessIdentity | null) {
    this.marker = `${RUN_ID_VARIABLE}=${runId}`;
    this.leader = leader?.bootId === currentBootId() ? leader : null;
    this.groupIsOurs = this.leader !== null && isAlive(this.leader);
  }

  living(): number[] {
    return this.members().map(({ pid }) => pid);
  }

  signal(signal: EndingSignal, sparing?: number): void {
    const members = this.members();
    // The whole group at once, where it may be, so that nothing escapes by forking meanwhile.
    const group = this.groupIsOurs && sparing === undefined ? this.leader!.pgid : null;
    if (group !== null) send(-group, signal);
    for (const { pid, group: itsGroup } of members)
      if (itsGroup !== group && pid !== sparing) send(pid, signal);
  }

  private members(): ProcessEntry[] {
    const all = livingProcesses();
    this.checkGroup(all);
    const group = this.groupIsOurs ? this.leader!.pgid : null;
    const since = this.leader?.startTime ?? 0;
    const pids = new Set<number>();
    for (const { pid, group: itsGroup, session, startTime } of all) {
      const inGroup = group !== null && (itsGroup === group || session === group);
      if (inGroup || (startTime >= since && hasInEnvironment(pid, this.marker))) pids.add(pid);
    }
    addDescendants(pids, all);
    pids.delete(process.pid);
    return all.filter(({ pid }) => pids.has(pid));
  }

  /**
   * A group's number can be given away again once its last member is gone. So the group is ours only where we saw its
   * leader alive, and until somebody else has that pid.
   */
  private checkGroup(all: readonly ProcessEntry[]): void {
    const holder = this.leader && all.find(({ pid }) => pid === this.leader!.pid);
    if (holder && holder.startTime !== this.leader.startTime) this.groupIsOurs = false;
  }
}

class ProcessGroup implements ProcessTree {
  constructor(private readonly leader: ProcessIdentity | null) {}

  living(): number[] {
    return this.leader && answersToSignals(-this.leader.pgid) ? [this.leader.pid] : [];
  }

  signal(signal: EndingSignal): void {
    if (this.leader) send(-this.leader.pgid, signal);
  }
}

function addDescendants(members: Set<number>, all: readonly ProcessEntry[]): void {
  for (let before = -1; before !== members.size;) {
    before = members.size;
    for (const { pid, parent } of all) if (members.has(parent)) members.add(pid);
  }
}

function send(pid: number, signal: EndingSignal): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ESRCH' && code !== 'EPERM') throw error;
  }
}
