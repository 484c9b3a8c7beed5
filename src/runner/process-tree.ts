import type { ProcessEntry, ProcessIdentity } from './process-table';
import { answersToSignals, currentBootId, isAlive, listedPids, variableOf } from './process-table';
import type { ProcessSnapshot } from './process-watch';
import { processWatch, RUN_ID_VARIABLE } from './process-watch';

export type EndingSignal = 'SIGTERM' | 'SIGKILL';

/** How old a look may be that is only to remember who belongs to the tree. */
const REMEMBERED_AGE_MS = 1_000;
/** Some 0.2 ms each. */
const MAX_HUNTING_LOOKS = 100;

/** Everything that a run has started and that still lives. */
export interface ProcessTree {
  /** Pids, the leader's included; zombies are no longer alive. */
  living(): Promise<number[]>;
  /**
   * Signals all that live, but for `sparing`, and answers who they were. What is gone already, or belongs to somebody
   * else, is passed over.
   */
  signal(signal: EndingSignal, sparing?: number): Promise<number[]>;
  /** Takes note of who belongs to it: later on that may no longer be seen. To be called now and then. */
  remember(): Promise<void>;
}

/** Linux has /proc to find what left the group; elsewhere only the group itself is reached. */
export function processTreeOf(runId: string, leader: ProcessIdentity | null): ProcessTree {
  return currentBootId() === null ? new ProcessGroup(leader) : new LinuxProcessTree(runId, leader);
}

/**
 * Members are the leader's group and session, all that carry the run's id in their environment, the descendants of any
 * of these, and whoever was a member once. What cannot be found: a process that has left the session, cleared its
 * environment and lost its parent, all of it before anybody looked.
 */
class LinuxProcessTree implements ProcessTree {
  /** Null also where the leader is of another boot: then its pid means nothing. */
  private readonly leader: ProcessIdentity | null;
  private groupIsOurs: boolean;
  private members: readonly ProcessEntry[] = [];
  private wasKilled = false;

  constructor(
    private readonly runId: string,
    leader: ProcessIdentity | null,
  ) {
    this.leader = leader?.bootId === currentBootId() ? leader : null;
    this.groupIsOurs = this.leader !== null && isAlive(this.leader);
  }

  async living(): Promise<number[]> {
    return this.find(await processWatch.now()).map(({ pid }) => pid);
  }

  async signal(signal: EndingSignal, sparing?: number): Promise<number[]> {
    const seen = await processWatch.now();
    const members = this.find(seen);
    // The whole group at once, where it may be, so that nothing escapes by forking meanwhile.
    const group = this.groupIsOurs && sparing === undefined ? this.leader!.pgid : null;
    if (group !== null) send(-group, signal);
    for (const { pid, group: itsGroup } of members)
      if (itsGroup !== group && pid !== sparing) send(pid, signal);
    // Otherwise it would hear of it only when somebody else lets it go on.
    if (signal === 'SIGTERM') for (const { pid, isStopped } of members) if (isStopped) send(pid, 'SIGCONT');
    if (signal === 'SIGKILL') {
      if (this.wasKilled) this.killNewcomers(seen);
      this.wasKilled = true;
    }
    return members.map(({ pid }) => pid);
  }

  async remember(): Promise<void> {
    this.find(await processWatch.lately(REMEMBERED_AGE_MS));
  }

  /** Whoever leaves a successor behind before it can be killed is met by looking at nothing but what is new. */
  private killNewcomers(seen: ProcessSnapshot): void {
    const known = new Set(seen.pids());
    for (let look = 0, isQuiet = false; look < MAX_HUNTING_LOOKS && !isQuiet; look++) {
      isQuiet = true;
      for (const pid of listedPids().filter((listed) => !known.has(listed))) {
        const runId = variableOf(pid, RUN_ID_VARIABLE);
        if (runId !== undefined) known.add(pid);
        if (runId === this.runId) send(pid, 'SIGKILL');
        if (runId === this.runId || runId === undefined) isQuiet = false;
      }
    }
  }

  private find(seen: ProcessSnapshot): readonly ProcessEntry[] {
    this.checkGroup(seen);
    const led = this.groupIsOurs ? seen.ledBy(this.leader!.pgid) : [];
    const earlier = this.members.flatMap(({ pid, startTime }) => {
      const now = seen.get(pid);
      return now?.startTime === startTime ? [now] : [];
    });
    this.members = seen.withDescendants([...led, ...seen.marked(this.runId), ...earlier]);
    return this.members;
  }

  /**
   * A group's number can be given away again once its last member is gone. So the group is ours only where we saw its
   * leader alive, and until somebody else has that pid.
   */
  private checkGroup(seen: ProcessSnapshot): void {
    const holder = this.leader && seen.get(this.leader.pid);
    if (holder && holder.startTime !== this.leader.startTime) this.groupIsOurs = false;
  }
}

class ProcessGroup implements ProcessTree {
  constructor(private readonly leader: ProcessIdentity | null) {}

  async living(): Promise<number[]> {
    return this.leader && answersToSignals(-this.leader.pgid) ? [this.leader.pid] : [];
  }

  async signal(signal: EndingSignal): Promise<number[]> {
    if (this.leader) send(-this.leader.pgid, signal);
    return this.living();
  }

  async remember(): Promise<void> {
    // A group is all there is to see.
  }
}

function send(pid: number, signal: EndingSignal | 'SIGCONT'): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ESRCH' && code !== 'EPERM') throw error;
  }
}
