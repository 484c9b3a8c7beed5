import type { Page } from '../documents/document-store';
import type { ReadModels } from '../processing/read-models';
import type { RunDocument } from './projections/runs.projection';
import { runsProjection } from './projections/runs.projection';
import type { RunAddress } from './run-claims';

const PAGE = 500;

/** All runs of a status, the longest queued first. */
export async function* runsOfStatus(
  readModels: ReadModels,
  status: 'queued' | 'running',
): AsyncGenerator<RunDocument & RunAddress> {
  let cursor: string | null = null;
  do {
    const page: Page<RunDocument> = await readModels.query(runsProjection, {
      where: { status },
      orderBy: 'queuedPosition',
      direction: 'asc',
      limit: PAGE,
      cursor,
    });
    for (const document of page.items) {
      const { companyId, agentId, id } = document;
      if (companyId === null || agentId === null) throw new Error(`run ${id} is ${status} and has no agent`);
      yield { ...document, companyId, agentId, runId: id };
    }
    cursor = page.nextCursor;
  } while (cursor !== null);
}
