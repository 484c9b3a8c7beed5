import { readFileSync } from 'node:fs';
import { cpus, homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';

/** Everything that can be set, once: flag and environment names follow from it. */
const settings = {
  host: { env: 'REVEILLE_HOST', schema: z.string().min(1).default('127.0.0.1') },
  port: { env: 'REVEILLE_PORT', schema: z.coerce.number().int().min(0).max(65_535).default(7717) },
  dataDir: { env: 'REVEILLE_DATA_DIR', schema: z.string().min(1).default(join(homedir(), '.reveille')) },
  eventLog: { env: 'REVEILLE_EVENT_LOG', schema: z.enum(['embedded']).default('embedded') },
  documents: { env: 'REVEILLE_DOCUMENTS', schema: z.enum(['embedded']).default('embedded') },
  maxRuns: {
    env: 'REVEILLE_MAX_RUNS',
    schema: z.coerce
      .number()
      .int()
      .min(1)
      .max(10_000)
      .default(4 * cpus().length),
  },
  auth: { env: 'REVEILLE_AUTH', schema: z.enum(['token', 'none']).default('token') },
  logLevel: {
    env: 'REVEILLE_LOG_LEVEL',
    schema: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('warn'),
  },
} as const;

export type SettingName = keyof typeof settings;

export type Config = { readonly [Name in SettingName]: z.infer<(typeof settings)[Name]['schema']> };

/** A wrong or unknown setting. The message names it, and where it came from. */
export class ConfigError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConfigError';
  }
}

const LOOPBACK_HOSTS = new Set(['127.0.0.1', '::1', 'localhost']);

/**
 * Flags over environment over file over defaults.
 *
 * @param flags as given on the command line, by setting name
 * @throws ConfigError
 */
export function readConfig(
  flags: Partial<Record<SettingName, string>>,
  environment: NodeJS.ProcessEnv = process.env,
  file?: string,
): Config {
  const fromFile = file === undefined ? {} : readConfigFile(file);
  refuseUnknownEnvironment(environment);
  const values = Object.entries(settings).map(([key, { env, schema }]) => {
    const name = key as SettingName;
    const [origin, raw] = firstSet([
      [`--${kebab(name)}`, flags[name]],
      [env, environment[env] === '' ? undefined : environment[env]],
      [`${name} in ${file}`, fromFile[name]],
    ]);
    const parsed = schema.safeParse(raw);
    if (!parsed.success) throw new ConfigError(`${origin}: ${parsed.error.issues[0]?.message}`);
    return [name, parsed.data];
  });
  const config = Object.fromEntries(values) as Config;
  if (config.auth === 'none' && !LOOPBACK_HOSTS.has(config.host)) {
    throw new ConfigError('--auth: none needs a loopback --host');
  }
  return config;
}

/** What agents see of the server's environment: enough to work, none of its secrets. */
export function environmentForAgents(environment: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const passed = [
    'PATH',
    'HOME',
    'USER',
    'LOGNAME',
    'SHELL',
    'LANG',
    'LC_ALL',
    'LC_CTYPE',
    'TZ',
    'TMPDIR',
    'TERM',
  ];
  const entries = passed.flatMap((name) => {
    const value = environment[name];
    return value === undefined ? [] : [[name, value]];
  });
  return Object.fromEntries(entries) as Record<string, string>;
}

export function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function firstSet(candidates: [string, unknown][]): [string, unknown] {
  return candidates.find(([, value]) => value !== undefined) ?? candidates[0]!;
}

function readConfigFile(file: string): Record<string, unknown> {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new ConfigError(`--config: cannot read ${file}: ${(error as Error).message}`);
  }
  const parsed = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).safeParse(content);
  if (!parsed.success) throw new ConfigError(`--config: ${file} is not a JSON object of settings`);
  const unknown = Object.keys(parsed.data).find((name) => !(name in settings));
  if (unknown) throw new ConfigError(`${unknown} in ${file}: unknown setting`);
  return parsed.data;
}

/** Names that begin with REVEILLE_ but are none of the server's: those of its clients, and those it sets for agents. */
const OTHER_NAMES =
  /^REVEILLE_(URL|TOKEN|TEST_.*|API_.*|(AGENT|COMPANY|RUN|SESSION)_ID|(CONTEXT|RESULT|EVENTS)_FILE)$/;

function refuseUnknownEnvironment(environment: NodeJS.ProcessEnv): void {
  const known = new Set<string>(Object.values(settings).map(({ env }) => env));
  for (const name of Object.keys(environment)) {
    if (name.startsWith('REVEILLE_') && !known.has(name) && !OTHER_NAMES.test(name)) {
      throw new ConfigError(`${name}: unknown setting`);
    }
  }
}
