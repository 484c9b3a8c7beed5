import { z } from 'zod';
import { SECRET_NAME } from '../kernel/secret-name';
import type { ConfiguredValue } from './adapter';

const SECRET_LOOKING =
  /SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|AUTHORIZATION|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|(^|_)(KEY|TOKEN|PASS)(_|$)|(^|_)(AUTH|COOKIE)$|_PWD(_|$)/i;

const secretReference = z.strictObject({
  secret: z
    .string()
    .regex(SECRET_NAME, 'must be up to 100 letters, digits and _.-, beginning with a letter or _'),
});

/** Whether a variable, a header or a query parameter of this name usually holds something that nobody may see. */
export function looksSecret(name: string): boolean {
  return SECRET_LOOKING.test(name.replaceAll('-', '_'));
}

/**
 * A text without NUL characters, or `{secret: name}`. Told apart by hand: of a union, only that nothing fits would be
 * said.
 */
export const configuredValue = z.unknown().transform((value, context): ConfiguredValue => {
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

/** A configuration is on the log and in answers, for ever: a secret must not get there. */
export function refuseSecrets(values: Record<string, ConfiguredValue>, context: z.RefinementCtx): void {
  for (const [name, value] of Object.entries(values)) {
    if (typeof value !== 'string' || !looksSecret(name)) continue;
    context.addIssue({
      code: 'custom',
      path: [name],
      message: `${name} looks like a secret: plain values are kept on the log and shown; use {secret: name}`,
    });
  }
}
