import type { EventLog } from '../event-log/event-log';
import { decode } from '../kernel/event';
import { runStream } from '../kernel/streams';
import type { RunEvent } from '../runs/domain/run.events';
import { lifecycle } from '../runs/domain/run.events';
import type { OutputProgress } from './agent-output';
import { READ_TO_KEY, SESSION_KEY } from './agent-output';
import type { EventsFileProgress } from './events-file';
import { NEXT_LINE_KEY } from './events-file';
import type { ProcessIdentity } from './process-table';
import type { ClaimedRun } from './run-authority';
import type { ReportHistory } from './run-reports';
import { noReports, noteReport } from './run-reports';

/** In the payload of the note that says which session was missing. */
export const MISSING_SESSION_KEY = 'missingSessionId';

/** How far an earlier server got with a run, as the run's stream tells it. */
export interface RunHistory {
  isStarted: boolean;
  isInvoked: boolean;
  /** Of the secrets in its environment. */
  secretNames: readonly string[];
  /** The last process that was recorded. */
  process: ProcessIdentity | null;
  eventsFile: EventsFileProgress;
  output: OutputProgress;
  /** The session that the agent works in, as far as its output has said. */
  sessionId: string | null;
  /** The session that it was to go on with was missing, so that it was to be started once more without one. */
  freshStart: 'none' | 'wanted' | 'made';
  /** The `error` events about the run as a whole: messages by code. */
  errors: Map<string, string>;
  reports: ReportHistory;
  /** Of what is part of the run, as its last event has it; null: there is none. */
  correlationId: string | null;
}

export const emptyHistory = (): RunHistory => ({
  isStarted: false,
  isInvoked: false,
  secretNames: [],
  process: null,
  eventsFile: { offset: 0, lines: 0, complaints: 0 },
  output: { stdout: 0, journal: 0 },
  sessionId: null,
  freshStart: 'none',
  errors: new Map(),
  reports: noReports(),
  correlationId: null,
});

export async function readHistory(
  log: EventLog,
  run: Pick<ClaimedRun, 'companyId' | 'runId'>,
): Promise<RunHistory> {
  const history = emptyHistory();
  for await (const stored of log.read(runStream(run.companyId, run.runId))) {
    const { event, revision, position, metadata } = decode<RunEvent>(stored);
    fold(history, event);
    history.correlationId = metadata.correlationId;
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
  if (type === 'ProcessRecorded') {
    history.process = data.payload as unknown as ProcessIdentity;
    if (history.freshStart === 'wanted') history.freshStart = 'made';
  }
  const code = data.payload?.code;
  if (type === 'RunErrorRecorded' && typeof code === 'string') history.errors.set(code, data.message);
  const nextLine = data.payload?.[NEXT_LINE_KEY];
  if (typeof nextLine !== 'number') {
    if (data.payload) foldOutput(history, data.payload);
    return;
  }
  history.eventsFile.offset = nextLine;
  history.eventsFile.lines++;
  if (type === 'RunErrorRecorded') history.eventsFile.complaints++;
}

/** @param payload of an event that the agent has not written itself: it may call anything so */
function foldOutput(history: RunHistory, payload: NonNullable<RunEvent['data']['payload']>): void {
  if (typeof payload[MISSING_SESSION_KEY] === 'string') history.freshStart = 'wanted';
  for (const source of ['stdout', 'journal'] as const) {
    const readTo = payload[READ_TO_KEY[source]];
    if (typeof readTo !== 'number') continue;
    history.output[source] = Math.max(history.output[source], readTo);
    const sessionId = payload[SESSION_KEY];
    if (typeof sessionId === 'string') history.sessionId = sessionId;
  }
}
