import { z } from 'zod';
import { configuredValue, refuseSecrets } from '../secret-value';

export const text = z.string().refine((value) => !value.includes('\0'), 'must not contain a NUL character');

const environmentName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be letters, digits and underscores, not beginning with a digit')
  .refine(
    (name) => !name.toUpperCase().startsWith('REVEILLE_'),
    'names that begin with REVEILLE_ are reserved',
  );

/** Variables on top of what every agent gets. */
export const environment = z.record(environmentName, configuredValue).superRefine(refuseSecrets);

/** `adapterConfig` of `process`: a command with its arguments, executed as it is, without a shell. */
export const processConfigSchema = z.strictObject({
  command: text.min(1, 'must not be empty'),
  args: z.array(text).optional(),
  cwd: text.min(1, 'must not be empty').optional(),
  env: environment.optional(),
  stdin: z.string().optional(),
});

export type ProcessConfig = z.infer<typeof processConfigSchema>;
