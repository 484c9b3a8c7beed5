import { appendFileSync } from 'node:fs';
import type { EventLog } from '../../src/event-log/event-log';
import { systemClock } from '../../src/kernel/clock';
import { uuidv7 } from '../../src/kernel/ids';
import type { Mask } from '../../src/runner/mask';
import { OutputRecorder } from '../../src/runner/output-recorder';
import { RunFolder } from '../../src/runner/run-folder';
import { RunLogWriter } from '../../src/runner/run-log-writer';
import type { OutputStream } from '../../src/runs/domain/run-log.events';

/** The output of one run without a process: what is written to its spools, and recorded of them. */
export class RunOutput {
  readonly run = { companyId: uuidv7(), agentId: uuidv7(), runId: uuidv7() };
  private readonly folder: RunFolder;
  private writer!: RunLogWriter;
  private recorder!: OutputRecorder;

  private constructor(
    private readonly log: EventLog,
    runsFolder: string,
    private readonly options: { mask: Mask; quotaBytes: number; tailBytes: number },
  ) {
    this.folder = new RunFolder(runsFolder, this.run.runId);
  }

  static async open(
    log: EventLog,
    runsFolder: string,
    options: { mask: Mask; quotaBytes: number; tailBytes: number },
  ): Promise<RunOutput> {
    const output = new RunOutput(log, runsFolder, options);
    output.folder.create({}, null);
    await output.takeUp();
    return output;
  }

  /** What the agent does. */
  write(stream: OutputStream, bytes: string | Buffer): void {
    appendFileSync(this.folder.spoolFile(stream), bytes);
  }

  /** Records what is there, as it comes. */
  drain(): Promise<void> {
    return this.recorder.drain();
  }

  /** What another server does that takes the run up. */
  async takeUp(): Promise<void> {
    const { log } = this;
    const actor = { type: 'node', id: 'node-1' } as const;
    const origin = {
      correlationId: uuidv7(),
      causationId: null,
      commandId: uuidv7(),
      actor,
      nodeId: 'node-1',
    };
    const signal = new AbortController().signal;
    this.writer = await RunLogWriter.open({ log, clock: systemClock }, { run: this.run, origin }, signal);
    const onTruncated = () => Promise.resolve();
    const earlier = this.recorder as OutputRecorder | undefined;
    this.recorder = await OutputRecorder.open(this.folder, this.writer, { ...this.options, onTruncated });
    earlier?.close();
  }

  /** Records the end. */
  finish(): Promise<void> {
    return this.recorder.finish();
  }

  async finalize() {
    const summary = await this.writer.finalize(this.recorder.written);
    this.recorder.close();
    await this.folder.remove();
    return summary;
  }
}
