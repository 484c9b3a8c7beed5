import { z } from 'zod';
import { id, timestamp } from '../http/schemas';

export const companySchema = z
  .object({
    id,
    name: z.string(),
    externalKey: z.string().nullable(),
    status: z.enum(['active', 'paused']),
    createdAt: timestamp,
  })
  .meta({ id: 'Company' });

/** A company as answers show it. */
export type CompanyView = z.output<typeof companySchema>;
