import { z } from 'zod';
import { SECRET_NAME } from '../../kernel/secret-name';
import type { EnvironmentValue } from '../adapter';

const SECRET_LOOKING =
  /SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|(^|_)(KEY|TOKEN|PASS)(_|$)|_PWD(_|$)/i;

const text = z.string().refine((value) => !value.includes('\0'), 'must not contain a NUL character');

const environmentName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be letters, digits and underscores, not beginning with a digit')
  .refine(
    (name) => !name.toUpperCase().startsWith('REVEILLE_'),
    'names that begin with REVEILLE_ are reserved',
  );

const secretReference = z.strictObject({
  secret: z
    .string()
    .regex(SECRET_NAME, 'must be up to 100 letters, digits and _.-, beginning with a letter or _'),
});

/** Told apart by hand: of a union, only that nothing fits would be said. */
const environmentValue = z.unknown().transform((value, context): EnvironmentValue => {
  if (typeof value === 'string' && !value.includes('\0')) return value;
  if (typeof value === 'object' && value !== null) {
    const parsed = secretReference.safeParse(value);
    if (parsed.success) return parsed.data;
    for (const { path, message } of parsed.error.issues) context.addIssue({ code: 'custom', path, message });
  } else {
    context.addIssue({
      code: 'custom',
      message: 'must be a string without a NUL character, or {secret: name}',
    });
  }
  return z.NEVER;
});

/** `adapterConfig` of `process`: a command with its arguments, executed as it is, without a shell. */
export const processConfigSchema = z.strictObject({
  command: text.min(1, 'must not be empty'),
  args: z.array(text).optional(),
  cwd: text.min(1, 'must not be empty').optional(),
  env: z.record(environmentName, environmentValue).superRefine(refuseSecrets).optional(),
  stdin: z.string().optional(),
});

export type ProcessConfig = z.infer<typeof processConfigSchema>;

/** A configuration is on the log and in answers, for ever: a secret must not get there. */
function refuseSecrets(env: Record<string, EnvironmentValue>, context: z.RefinementCtx): void {
  for (const [name, value] of Object.entries(env)) {
    if (typeof value !== 'string' || !SECRET_LOOKING.test(name)) continue;
    context.addIssue({
      code: 'custom',
      path: [name],
      message: `${name} looks like a secret: plain values are kept on the log and shown; use {secret: name}`,
    });
  }
}
