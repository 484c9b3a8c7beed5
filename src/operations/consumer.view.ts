import type { Position } from '../kernel/event';
import type { ConsumerStatus } from '../processing/processing';
import type { JobView } from '../processing/projection-job';
import type { ProjectionJobs } from '../processing/projection-jobs';

/** A projection or saga, as the operator sees it. */
export interface ConsumerView {
  name: string;
  kind: 'projection' | 'saga';
  /** null for a saga. */
  version: number | null;
  /** `failing`: it tries the same again, because the document store fails. `stopped`: it waits for a retry. */
  status: 'running' | 'failing' | 'stopped';
  position: string;
  /** From there to the end of the log, in positions. */
  lag: string;
  stoppedBy: string | null;
  stoppedAt: ConsumerStatus['stoppedAt'];
  ailment: string | null;
  /** The rebuild or comparison that goes on. */
  job: JobView | null;
}

export function consumerView(consumer: ConsumerStatus, head: Position, jobs: ProjectionJobs): ConsumerView {
  const { name, kind, version, reached, stoppedBy, stoppedAt, ailment } = consumer;
  const lag = head - BigInt(reached);
  return {
    name,
    kind,
    version,
    status: stoppedBy !== null ? 'stopped' : ailment !== null ? 'failing' : 'running',
    position: reached,
    // It may have gone on since the head was read.
    lag: `${lag > 0n ? lag : 0n}`,
    stoppedBy,
    stoppedAt,
    ailment,
    job: jobs.going(name),
  };
}
