import { z } from 'zod';
import { clampedNumber } from '../http/schemas';
import { CURSOR } from './cursor';
import { liveMessageSchema } from './live-events';

const cursor = z.string('a position, or a cursor').regex(CURSOR, 'a position, or a cursor');
const id = z.string().max(100);

const SCOPES = ['companyId', 'agentId', 'runId'] as const;
const ONE_SCOPE = 'one of companyId, agentId and runId';

const scopes = { companyId: id.optional(), agentId: id.optional(), runId: id.optional() };

/** What `subscribe` takes. */
export const subscription = oneScope(
  z.strictObject({ ...scopes, after: cursor.optional(), logs: z.boolean().optional() }),
);

/** What `unsubscribe` takes. */
export const unsubscription = oneScope(z.strictObject(scopes));

/** The query of the feed. */
export const feedQuery = z.strictObject({
  after: cursor.optional().describe('A position or a cursor: only what came after it'),
  agentId: id.optional().describe('Only of that agent'),
  runId: id.optional().describe('Only of that run'),
  logs: z
    .enum(['true', 'false'])
    .transform((value) => value === 'true')
    .optional()
    .describe('Also what runs write; with `runId` that is the default'),
  limit: clampedNumber({ fallback: 200, min: 1, max: 1_000 }, 'Messages on the page, in JSON'),
});

/** How an `EventSource` that connects again says where it was. */
export const feedHeaders = z.object({
  'Last-Event-ID': cursor.optional().describe('The same as `after`, and goes before it'),
});

export const livePageSchema = z
  .object({
    items: z.array(liveMessageSchema),
    nextCursor: z.string().nullable().describe('The next `after`; null: this is all there is now'),
    position: z.string().describe('What comes later is found with this as `after`'),
  })
  .meta({ id: 'LiveMessagePage' });

function oneScope<S extends z.ZodObject>(schema: S): S {
  return schema.superRefine((value, context) => {
    const [first = 'companyId', second] = SCOPES.filter((name) => value[name] !== undefined);
    if (value[first] === undefined || second !== undefined) {
      context.addIssue({ code: 'custom', path: [second ?? first], message: ONE_SCOPE });
    }
  });
}
