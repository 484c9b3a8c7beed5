import { z } from 'zod';

export const runStatusSchema = z
  .enum(['queued', 'running', 'succeeded', 'failed', 'cancelled', 'timed_out'])
  .meta({ id: 'RunStatus', description: 'Open: queued, running. Nothing ever changes a final run.' });
