import type { AgentOutput } from './agent-output';
import type { RunLogWriter, WrittenOutput } from './run-log-writer';
import type { EndedTree } from './ending';
import { endTree, waitUntilEmpty } from './ending';
import type { EventsFile } from './events-file';
import { KEPT_TAIL_BYTES } from './log-quota';
import type { RunEvents } from './masked-run-events';
import { OutputRecorder } from './output-recorder';
import { orAborted, pause } from '../kernel/pause';
import type { ProcessTree } from './process-tree';
import type { RunFailure } from './run-failure';
import type { RunFolder } from './run-folder';
import type { RunProcess } from './run-process';
import type { WaitedExit } from './spawner-messages';
import type { RunSecrets } from './run-secrets';

/** When the leader has left by itself, how long the rest of its tree may take to do the same. */
const LEFT_BEHIND_MS = 2_000;
/** So long the agent itself may not be executing yet. */
const YOUNG_MS = 1_000;
/** How often the members of its tree are taken note of. */
const REMEMBER_EVERY_MS = 1_000;

/** Nobody throws it; a reason of the system's own would cost a stack trace for every run. */
const OVER = new Error('the run is over');

/** What is watched over. */
export interface SupervisedAgent extends Pick<RunProcess, 'exited' | 'spawnedAtMs'> {
  tree: ProcessTree;
  /** The pid of the process that waits for the agent; undefined where none does. */
  leader: number | undefined;
}

export interface SupervisionDeps {
  folder: RunFolder;
  agent: SupervisedAgent;
  graceMs: number;
  events: RunEvents;
  eventsFile: EventsFile;
  /** null: the agent's output is recorded, and not understood. */
  output: AgentOutput | null;
  writer: RunLogWriter;
  secrets: RunSecrets;
  /** Names of the secrets that an earlier server has started the run with. */
  inheritedSecrets: readonly string[];
  logQuotaBytes: number;
  /** Aborting it ends the run. Aborted in here where its output can no longer be recorded. */
  ending: AbortController;
  /** Aborts, with the failure, where the rest of its output is given up. */
  givenUp: AbortSignal;
  /** Leaves the run alone, as it is: the server stops, the agent goes on. */
  closed: AbortSignal;
  /** Asks for the ending once the run has reached a limit; runs beside everything else until `stop` aborts. */
  watchLimits: (lastOutputAtMs: () => number, stop: AbortSignal) => Promise<void>;
  /** Turns any error into what the run came to, and has it on the log. */
  recordFailure: (error: unknown) => Promise<RunFailure>;
}

export interface Supervised extends EndedTree {
  /** Null where the wrapper could not be ended. */
  waited: WaitedExit | null;
  failure: RunFailure | null;
  /** What the agent wrote; null where not all of it could be read. */
  written: WrittenOutput | null;
}

/**
 * Watches over a run from its first byte until no process of it is left: records what it writes, and ends what has to
 * be ended. The cause of an ending, or the failure that made one necessary, is on the log before the first signal.
 */
export class Supervision {
  private readonly stop = new AbortController();
  private recorder: OutputRecorder | null = null;
  private written: WrittenOutput | null = null;
  private error: unknown = null;

  constructor(private readonly deps: SupervisionDeps) {}

  /** @throws the abort reason when `closed` aborts */
  async run(): Promise<Supervised> {
    const { agent, closed, ending, givenUp } = this.deps;
    const stop = AbortSignal.any([this.stop.signal, closed, givenUp]);
    const work = this.record(stop);
    void whenAborted(givenUp).then(() => this.fail(givenUp.reason));
    try {
      await orAborted(Promise.race([agent.exited, whenAborted(ending.signal)]), closed);
      let failure = await this.failureSoFar();
      const ended = await this.endAndDrain(work);
      failure ??= await this.failureSoFar();
      const waited = ended.survivors.length > 0 ? null : await orAborted(agent.exited, closed);
      return { ...ended, waited, failure, written: this.written };
    } finally {
      this.stop.abort(OVER);
      await work;
      this.recorder?.close();
      this.deps.output?.close();
    }
  }

  /** Never rejects: what goes wrong ends the run. */
  private async record(stop: AbortSignal): Promise<void> {
    const { folder, writer, eventsFile, output, watchLimits, secrets, inheritedSecrets } = this.deps;
    try {
      await secrets.restore(inheritedSecrets);
      this.recorder = await OutputRecorder.open(folder, writer, {
        mask: secrets.mask,
        quotaBytes: this.deps.logQuotaBytes,
        tailBytes: KEPT_TAIL_BYTES,
        onTruncated: (stream) => this.noteTruncation(stream),
      });
    } catch (error) {
      this.fail(error);
      return;
    }
    const { recorder } = this;
    const tasks = [
      recorder.follow(stop),
      eventsFile.follow(stop),
      output?.follow(stop) ?? Promise.resolve(),
      watchLimits(() => recorder.lastOutputAtMs, stop),
      this.rememberMembers(stop),
    ];
    await Promise.all(tasks.map((task) => task.catch((error: unknown) => this.fail(error))));
  }

  private async rememberMembers(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      await pause(REMEMBER_EVERY_MS, stop);
      if (!stop.aborted) await this.deps.agent.tree.remember();
    }
  }

  /** Until nothing lives that could still write, or nothing can be done about it. */
  private async endAndDrain(work: Promise<void>): Promise<EndedTree> {
    const ended = await this.endTheRest();
    this.stop.abort(OVER);
    await work;
    await this.drain();
    await this.finishRecording();
    return ended;
  }

  private async endTheRest(): Promise<EndedTree> {
    const { agent, ending, closed, events, graceMs } = this.deps;
    const { tree, leader, spawnedAtMs } = agent;
    if (!ending.signal.aborted) {
      if (await waitUntilEmpty(tree, LEFT_BEHIND_MS, closed)) return { sent: [], survivors: [] };
      const pids = await tree.living();
      const message = 'ending what the agent left behind';
      if (pids.length > 0)
        await events.append({ eventType: 'note', level: 'warn', message, payload: { pids } });
    }
    const isYoung = spawnedAtMs !== null && Date.now() - spawnedAtMs < YOUNG_MS;
    return endTree(tree, { graceMs, leader, isYoung }, closed);
  }

  private async drain(): Promise<void> {
    try {
      if (!this.deps.givenUp.aborted) await this.recorder?.drain();
      if (this.deps.secrets.areLost) return;
      await this.deps.eventsFile.drain();
      await this.deps.output?.drain();
    } catch (error) {
      this.fail(error);
    }
  }

  private async finishRecording(): Promise<void> {
    if (this.recorder === null || this.deps.givenUp.aborted) return;
    try {
      await this.recorder.finish();
      this.written = this.recorder.written;
    } catch (error) {
      this.fail(error);
    }
  }

  private fail(error: unknown): void {
    this.error ??= error;
    this.deps.ending.abort();
  }

  private async failureSoFar(): Promise<RunFailure | null> {
    this.deps.closed.throwIfAborted();
    return this.error === null ? null : this.deps.recordFailure(this.error);
  }

  private async noteTruncation(stream: 'stdout' | 'stderr'): Promise<void> {
    if (this.deps.givenUp.aborted) return;
    const message = `The agent has emptied its ${stream} (as "> /dev/${stream}" does; ">&${stream === 'stdout' ? 1 : 2}" does not): output may be missing`;
    await this.deps.events.append({ eventType: 'error', level: 'error', message });
  }
}

function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
