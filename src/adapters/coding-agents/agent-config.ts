import { z } from 'zod';
import type { ConfiguredValue } from '../adapter';
import { environment, text } from '../process/process-config';

const someText = text.min(1, 'must not be empty');

/** What the configurations of all coding agents have in common. */
export const codingAgentFields = {
  /** The program, by its path or as found on PATH. */
  command: someText.optional(),
  model: someText.optional(),
  /** Where it works; by default in a folder of the agent's own, which stays. */
  cwd: someText.optional(),
  /** `{{context.x}}` is filled in. */
  promptTemplate: z.string().min(1, 'must not be empty').optional(),
  /** On top of the arguments that Reveille gives, and after them. */
  extraArgs: z.array(text).optional(),
  env: environment.optional(),
};

/** The variables that are not secrets: what a reader needs to find the files of a program. */
export function plainVariables(
  env: Readonly<Record<string, ConfiguredValue>> | undefined,
): Record<string, string> {
  const plain = Object.entries(env ?? {}).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  return Object.fromEntries(plain);
}
