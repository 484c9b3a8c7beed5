import type { ReadModels } from '../processing/read-models';
import type { RunDocument } from './projections/runs.projection';
import { runsProjection } from './projections/runs.projection';
import type { RunAddress } from './run-claims';

/** All runs of a status, the longest queued first. */
export async function* runsOfStatus(
  readModels: Pick<ReadModels, 'all'>,
  status: 'queued' | 'running',
): AsyncGenerator<RunDocument & RunAddress> {
  for await (const document of readModels.all(runsProjection, {
    where: { status },
    orderBy: 'queuedPosition',
  })) {
    const { companyId, agentId, id } = document;
    if (companyId === null || agentId === null) throw new Error(`run ${id} is ${status} and has no agent`);
    yield { ...document, companyId, agentId, runId: id };
  }
}
