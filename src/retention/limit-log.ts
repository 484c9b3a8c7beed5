import type { EventLog } from '../event-log/event-log';
import { runLogStream } from '../kernel/streams';
import { maxAgeSecOf } from './domain/log-retention';

interface FinishedRun {
  companyId: string;
  runId: string;
  startedAt: string | null;
  finishedAt: string;
}

/** Has a finished log age out so many days after its run. Repeating it changes nothing. @param days null: it stays for ever */
export async function limitLog(log: EventLog, run: FinishedRun, days: number | null): Promise<void> {
  const maxAgeSec = days === null ? null : maxAgeSecOf(days, run);
  await log.setMaxAge(runLogStream(run.companyId, run.runId), maxAgeSec);
}
