import { z } from 'zod';

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

const environmentValue = z.unknown().transform((value, context): string => {
  if (typeof value === 'string' && !value.includes('\0')) return value;
  const message = isSecretReference(value)
    ? 'values of the form {secret: name} are not supported yet'
    : 'must be a string without a NUL character';
  context.addIssue({ code: 'custom', message });
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

function isSecretReference(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'secret' in value;
}

/** A configuration is on the log and in answers, for ever: a secret must not get there. */
function refuseSecrets(env: Record<string, string>, context: z.RefinementCtx): void {
  for (const name of Object.keys(env).filter((candidate) => SECRET_LOOKING.test(candidate))) {
    context.addIssue({
      code: 'custom',
      path: [name],
      message: `${name} looks like a secret: plain values are kept on the log and shown, so it is refused`,
    });
  }
}
