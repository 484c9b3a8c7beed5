import type { EventLog } from '../event-log/event-log';
import { decode } from '../kernel/event';
import { runStream } from '../kernel/streams';
import type { RunEvent } from '../runs/domain/run.events';
import { lifecycle } from '../runs/domain/run.events';
import type { EventsFileProgress } from './events-file';
import { NEXT_LINE_KEY } from './events-file';
import type { ProcessIdentity } from './process-table';
import type { ClaimedRun } from './run-authority';
import type { ReportHistory } from './run-reports';
import { noReports, noteReport } from './run-reports';

/** How far an earlier server got with a run, as the run's stream tells it. */
export interface RunHistory {
  isStarted: boolean;
  isInvoked: boolean;
  /** Of the secrets in its environment. */
  secretNames: readonly string[];
  /** The last process that was recorded. */
  process: ProcessIdentity | null;
  eventsFile: EventsFileProgress;
  /** The `error` events about the run as a whole: messages by code. */
  errors: Map<string, string>;
  reports: ReportHistory;
}

export const emptyHistory = (): RunHistory => ({
  isStarted: false,
  isInvoked: false,
  secretNames: [],
  process: null,
  eventsFile: { offset: 0, lines: 0, complaints: 0 },
  errors: new Map(),
  reports: noReports(),
});

export async function readHistory(
  log: EventLog,
  run: Pick<ClaimedRun, 'companyId' | 'runId'>,
): Promise<RunHistory> {
  const history = emptyHistory();
  for await (const stored of log.read(runStream(run.companyId, run.runId))) {
    const { event, revision, position } = decode<RunEvent>(stored);
    fold(history, event);
    noteReport(history.reports, event, { seq: revision + 1, position });
  }
  return history;
}

function fold(history: RunHistory, { type, data }: RunEvent): void {
  if (type === 'RunLifecycleRecorded' && data.message === lifecycle.started) history.isStarted = true;
  if (type === 'AdapterInvoked') {
    history.isInvoked = true;
    history.secretNames = (data.payload?.secretNames ?? []) as string[];
  }
  if (type === 'ProcessRecorded') history.process = data.payload as unknown as ProcessIdentity;
  const code = data.payload?.code;
  if (type === 'RunErrorRecorded' && typeof code === 'string') history.errors.set(code, data.message);
  const nextLine = data.payload?.[NEXT_LINE_KEY];
  if (typeof nextLine !== 'number') return;
  history.eventsFile.offset = nextLine;
  history.eventsFile.lines++;
  if (type === 'RunErrorRecorded') history.eventsFile.complaints++;
}
