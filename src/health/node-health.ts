import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import type { DocumentStore } from '../documents/document-store';
import type { EventLog } from '../event-log/event-log';
import type { Processing } from '../processing/processing';
import type { Drain } from '../runs/drain';
import type { NodeExecution } from '../runs/node-execution';
import type { ReadyView } from './health.routes';

/** A part that does not answer by then is ill. */
const PATIENCE_MS = 2_000;

interface Parts {
  log: EventLog;
  documents: DocumentStore;
  processing: Processing;
  execution: NodeExecution;
  drain: Drain;
  dataFolder: string;
}

export type Condition = Omit<ReadyView, 'nodeId'>;

/** Whether a node does its work, and which of its parts doesn't. */
export class NodeHealth {
  constructor(private readonly parts: Parts) {}

  async look(): Promise<Condition> {
    const { log, documents, processing, execution, drain, dataFolder } = this.parts;
    // Before the head: whoever has reached that has then handled everything there was.
    const consumers = processing.status();
    const [head, documentsIllness, folderIllness, disk] = await Promise.all([
      inTime(log.head()).catch(() => null),
      inTime(documents.checkpoint('health')).then(() => null, messageOf),
      inTime(access(dataFolder, constants.W_OK)).then(() => null, messageOf),
      inTime(execution.diskSpace()).catch(() => null),
    ]);
    const isFollowed = head !== null && processing.feed.ailmentBefore(head) === null;
    const ill = [
      ...(isFollowed ? [] : ['eventLog']),
      ...(documentsIllness === null ? [] : ['documents']),
      ...consumers.filter((one) => one.stoppedBy !== null || one.ailment !== null).map(({ name }) => name),
      ...(execution.illness === null ? [] : ['execution']),
      ...(folderIllness === null ? [] : ['dataFolder']),
      ...(disk?.isShort === true ? ['disk'] : []),
    ];
    const draining = drain.status;
    return {
      status: draining ? 'draining' : ill.length === 0 ? 'ok' : 'ill',
      ill,
      eventLog: { status: isFollowed ? 'ok' : 'ill', head: head === null ? null : `${head}` },
      documents: { status: documentsIllness ?? 'ok' },
      consumers,
      execution: { status: execution.illness ?? 'ok' },
      dataFolder: { status: folderIllness ?? 'ok' },
      disk,
      draining,
      runs: execution.load,
    };
  }
}

async function inTime<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${PATIENCE_MS} ms`)), PATIENCE_MS);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
