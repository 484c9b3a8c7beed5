import { z } from 'zod';
import { routeTable, written } from '../http/route';
import { count, instant } from '../http/schemas';

const tickRequest = z
  .strictObject({ now: instant.optional().describe('Sets the clock: only with `--test-clock`') })
  .meta({ id: 'TickRequest', examples: [{}] });

const tickedSchema = z
  .object({
    checked: count.describe('What was due'),
    enqueued: count.describe('Became a run, or joined or awaits one'),
    skipped: count,
  })
  .meta({ id: 'Ticked' });

export const timerRoutes = routeTable('Administration', {
  tick: {
    method: 'POST',
    path: '/v1/admin/tick',
    access: 'server',
    summary: 'Look at what is due, now',
    description: 'The server does so by itself, twice a second.',
    body: tickRequest,
    isBodyOptional: true,
    answers: { 200: written(tickedSchema, 'What was due, and what became of it') },
  },
});
