import type { EventLog } from '../event-log/event-log';
import { RevisionConflict } from '../event-log/event-log';
import type { UnsealedEvent } from '../event-log/seal';
import type { Recorded, StoredEvent } from '../kernel/event';
import { NO_STREAM, decode } from '../kernel/event';
import { derivedUuid } from '../kernel/ids';
import { runStream } from '../kernel/streams';
import type { RunEvent } from './domain/run.events';
import { isClosingLine, runEventShapes } from './domain/run.events';
import type { ExecutionCommand } from './sagas/execution.saga';
import { StreamTail } from '../event-log/stream-tail';

/** Opens and closes runs' streams for the execution saga. What is already there is not written again. */
export class RunStreams {
  constructor(
    private readonly log: EventLog,
    private readonly nodeId: string,
    private readonly signal: AbortSignal,
  ) {}

  async execute(command: ExecutionCommand, cause: Recorded): Promise<void> {
    const stream = runStream(command.companyId, command.runId);
    const event = this.unsealed(command, cause);
    // Almost always nobody has opened it yet: it is looked at only where the log says that somebody has.
    const isNew = command.type === 'OpenRunStream';
    if (isNew && (await isAppended(StreamTail.ofNew(this.log, stream, this.signal), event))) return;
    for (;;) {
      const { tail, last } = await StreamTail.find(this.log, stream, this.signal);
      if (isDone(command, last) || (await isAppended(tail, event))) return;
    }
  }

  private unsealed({ type, companyId, runId, at, line }: ExecutionCommand, cause: Recorded): UnsealedEvent {
    const id = derivedUuid(runId, type);
    return {
      id,
      type: 'RunLifecycleRecorded',
      data: line,
      metadata: {
        schemaVersion: runEventShapes.RunLifecycleRecorded.version,
        at,
        companyId,
        correlationId: cause.metadata.correlationId,
        causationId: cause.id,
        commandId: id,
        actor: { type: 'system', id: 'execution' },
        nodeId: this.nodeId,
      },
    };
  }
}

/** False where somebody else has written to the stream. */
async function isAppended(tail: StreamTail, event: UnsealedEvent): Promise<boolean> {
  try {
    await tail.append([event]);
    return true;
  } catch (error) {
    if (error instanceof RevisionConflict) return false;
    throw error;
  }
}

function isDone(command: ExecutionCommand, last: StoredEvent | null): boolean {
  if (command.type === 'OpenRunStream') return last !== null && last.revision > NO_STREAM;
  return last !== null && isClosingLine(decode<RunEvent>(last).event);
}
