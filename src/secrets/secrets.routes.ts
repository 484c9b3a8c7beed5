import { z } from 'zod';
import { answer, routeTable, written } from '../http/route';
import { clampedNumber, pageOf, timestamp, waitFor } from '../http/schemas';
import { SECRET_NAME } from '../kernel/secret-name';

/** An environment variable can hold about twice as much. */
const MAX_VALUE_BYTES = 64 * 1024;

const name = z
  .string()
  .regex(SECRET_NAME, 'must be up to 100 letters, digits and _.-, beginning with a letter or _');

const value = z
  .string()
  .min(1, 'must not be empty')
  .refine((text) => Buffer.byteLength(text) <= MAX_VALUE_BYTES, `must have at most ${MAX_VALUE_BYTES} bytes`)
  .refine((text) => !text.includes('\0'), 'must not contain a NUL character')
  .describe(`At most ${MAX_VALUE_BYTES} bytes, without NUL`);

const secretSchema = z
  .object({ name: z.string(), updatedAt: timestamp })
  .meta({ id: 'Secret', description: 'No route gives the value back' });

export type SecretView = z.output<typeof secretSchema>;

export const secretRoutes = routeTable('Secrets', {
  putSecret: {
    method: 'PUT',
    path: '/v1/companies/:companyId/secrets/:name',
    access: 'admin',
    summary: 'Set a secret',
    description: 'Agents name it in their `env` as `{"secret": "name"}`. Its value is kept outside the log.',
    params: z.object({ companyId: z.string(), name }),
    body: z.strictObject({ value }).meta({ id: 'SecretRequest', examples: [{ value: 'a value' }] }),
    answers: { 200: written(secretSchema, 'The secret, without its value') },
    errors: ['company_not_found'],
  },
  listSecrets: {
    method: 'GET',
    path: '/v1/companies/:companyId/secrets',
    access: 'viewer',
    summary: "List a company's secrets",
    query: z.strictObject({
      limit: clampedNumber({ fallback: 50, min: 1, max: 200 }, 'Items on the page'),
      cursor: name.optional().describe('`nextCursor` of the page before'),
      waitFor,
    }),
    answers: { 200: answer(pageOf('SecretPage', secretSchema), 'Names, in their order') },
    errors: ['company_not_found'],
  },
});
