import { readFileSync } from 'node:fs';
import { cpus, homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { eventstoredbUrl, mongodbUrl } from './connection-strings';
import { MAX_RETENTION_DAYS } from './retention/domain/log-retention';
import { drainModes } from './runs/drain';

/** Everything comes as text, and a number is one only where it looks like one: '' and ' ' are not 0. */
const wholeNumber = (minimum: number, maximum: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(minimum).max(maximum));

/** Everything that can be set, once: flags, environment names and the help of `reveille serve` follow from it. */
const settings = {
  host: {
    env: 'REVEILLE_HOST',
    about: 'address to listen on',
    schema: z.string().min(1).default('127.0.0.1'),
  },
  port: {
    env: 'REVEILLE_PORT',
    about: 'port to listen on; 0 takes any free one',
    schema: wholeNumber(0, 65_535).default(7717),
  },
  dataDir: {
    env: 'REVEILLE_DATA_DIR',
    about: 'folder of the embedded stores, the spools and the admin token',
    // Agents are told about files in it, and have working folders of their own.
    schema: z
      .string()
      .min(1)
      .default(join(homedir(), '.reveille'))
      .transform((path) => resolve(path)),
  },
  eventLog: {
    env: 'REVEILLE_EVENT_LOG',
    about: 'where events are kept: embedded or eventstoredb',
    schema: z.enum(['embedded', 'eventstoredb']).default('embedded'),
  },
  eventstoredbUrl: {
    env: 'EVENTSTOREDB_URL',
    about: 'connection string of EventStoreDB or KurrentDB: esdb://… or esdb+discover://…',
    schema: eventstoredbUrl,
  },
  namespace: {
    env: 'REVEILLE_NAMESPACE',
    about:
      'begins the names of all streams, where several installations share one EventStoreDB; none by default',
    schema: z
      .string()
      .regex(/^[a-z0-9.-]{0,40}$/, 'must be up to 40 small letters, digits, dots or dashes')
      .default(''),
  },
  documents: {
    env: 'REVEILLE_DOCUMENTS',
    about: 'where read models are kept: embedded or mongodb',
    schema: z.enum(['embedded', 'mongodb']).default('embedded'),
  },
  mongodbUrl: {
    env: 'MONGODB_URL',
    about: 'connection string of MongoDB: mongodb://… or mongodb+srv://…; its path is the database',
    schema: mongodbUrl,
  },
  storeWaitSec: {
    env: 'REVEILLE_STORE_WAIT_SEC',
    about: 'how long to wait at the start for EventStoreDB and MongoDB to answer, in seconds',
    schema: wholeNumber(0, 86_400).default(60),
  },
  maxRuns: {
    env: 'REVEILLE_MAX_RUNS',
    about: 'how many runs may run at once',
    schema: wholeNumber(1, 10_000).default(4 * cpus().length),
  },
  drain: {
    env: 'REVEILLE_DRAIN',
    about: 'what a server that is told to stop does about running agents: leave, wait or cancel',
    schema: z.enum(drainModes).default('leave'),
  },
  drainTimeoutSec: {
    env: 'REVEILLE_DRAIN_TIMEOUT_SEC',
    about: 'how long it waits for them, in seconds, before it leaves them running; 0: as long as it takes',
    schema: wholeNumber(0, 604_800).default(600),
  },
  backWithinSec: {
    env: 'REVEILLE_BACK_WITHIN_SEC',
    about: 'how long other servers leave the runs of this one alone after it has stopped',
    schema: wholeNumber(0, 604_800).default(300),
  },
  httpPrivateAddresses: {
    env: 'REVEILLE_HTTP_PRIVATE_ADDRESSES',
    about: 'whether http agents may be on this machine and in private networks: allow or refuse',
    schema: z.enum(['allow', 'refuse']).default('refuse'),
  },
  httpAnswerBytes: {
    env: 'REVEILLE_HTTP_ANSWER_BYTES',
    about: "how long an http agent's answer may be",
    schema: wholeNumber(1_024, 1e12).default(1024 * 1024 * 1024),
  },
  logRetentionDays: {
    env: 'REVEILLE_LOG_RETENTION_DAYS',
    about:
      'how many days after its end the output of a run is kept, in companies that are registered without saying it; 0: for ever',
    schema: wholeNumber(0, MAX_RETENTION_DAYS).default(0),
  },
  auditCheckpointEvents: {
    env: 'REVEILLE_AUDIT_CHECKPOINT_EVENTS',
    about: 'after how many events a signed checkpoint covers them',
    schema: wholeNumber(1, 100_000).default(10_000),
  },
  auditCheckpointSec: {
    env: 'REVEILLE_AUDIT_CHECKPOINT_SEC',
    about: 'how long an event waits at most for a checkpoint that covers it, in seconds',
    schema: wholeNumber(1, 86_400).default(300),
  },
  adapters: {
    env: 'REVEILLE_ADAPTERS',
    about: 'modules that bring further kinds of agents, with commas between them; the flag may be repeated',
    schema: z.string().default('').transform(modulePaths),
  },
  auth: {
    env: 'REVEILLE_AUTH',
    about: 'token, or none (only with a loopback host)',
    schema: z.enum(['token', 'none']).default('token'),
  },
  rateLimit: {
    env: 'REVEILLE_RATE_LIMIT',
    about: 'how many requests a second each token of a company may make, and twice as many at once; 0: any',
    schema: wholeNumber(0, 1_000_000).default(200),
  },
  runRateLimit: {
    env: 'REVEILLE_RUN_RATE_LIMIT',
    about: 'the same for the token of each run',
    schema: wholeNumber(0, 1_000_000).default(20),
  },
  testClock: {
    env: 'REVEILLE_TEST_CLOCK',
    about: 'let `POST /v1/admin/tick` set the clock; for tests',
    schema: z.stringbool().default(false),
  },
  logLevel: {
    env: 'REVEILLE_LOG_LEVEL',
    about: "the server's own log on stderr: debug, info, warn, error or silent",
    schema: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('warn'),
  },
} as const;

function modulePaths(list: string): string[] {
  const paths = list.split(',').map((path) => path.trim());
  return paths.filter((path) => path !== '').map((path) => resolve(path));
}

export type SettingName = keyof typeof settings;

export type Config = { readonly [Name in SettingName]: z.infer<(typeof settings)[Name]['schema']> };

export interface SettingFlag {
  /** With its dashes. */
  flag: string;
  env: string;
  about: string;
  byDefault: string;
}

/** The flags of `reveille serve`, one a setting. Their values go to `readConfig` as they are. */
export function settingFlags(): SettingFlag[] {
  return Object.entries(settings).map(([name, { env, about, schema }]) => {
    return { flag: `--${kebab(name)}`, env, about, byDefault: String(schema.parse(undefined)) };
  });
}

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
  if (config.eventLog === 'eventstoredb' && config.eventstoredbUrl === '') {
    throw new ConfigError('--event-log: eventstoredb needs EVENTSTOREDB_URL');
  }
  if (config.documents === 'mongodb' && config.mongodbUrl === '') {
    throw new ConfigError('--documents: mongodb needs MONGODB_URL');
  }
  return config;
}

/** Where the command line finds its server, and as whom it speaks. */
export interface ClientConfig {
  /** Without a slash at its end. */
  url: string;
  /** null: the one in the data folder. */
  token: string | null;
  dataDir: string;
  companyId: string | null;
}

const clientUrl = z
  .url({ protocol: /^https?$/, error: 'must be an address that begins with http:// or https://' })
  .transform((url) => url.replace(/\/+$/, ''));

/** Flags over environment over defaults. @throws ConfigError */
export function readClientConfig(
  flags: { url?: string; token?: string; dataDir?: string; company?: string },
  environment: NodeJS.ProcessEnv = process.env,
): ClientConfig {
  const [origin, given] = firstSet([
    ['--url', flags.url],
    ['REVEILLE_URL', environment['REVEILLE_URL'] || undefined],
  ]);
  const url = clientUrl.safeParse(given ?? `http://127.0.0.1:${settings.port.schema.parse(undefined)}`);
  if (!url.success) throw new ConfigError(`${origin}: ${url.error.issues[0]?.message}`);
  return {
    url: url.data,
    token: flags.token ?? (environment['REVEILLE_TOKEN'] || null),
    dataDir: settings.dataDir.schema.parse(flags.dataDir ?? (environment[settings.dataDir.env] || undefined)),
    companyId: flags.company ?? (environment['REVEILLE_COMPANY_ID'] || null),
  };
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

function readConfigFile(file: string): Record<string, string> {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new ConfigError(`--config: cannot read ${file}: ${(error as Error).message}`);
  }
  const parsed = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).safeParse(content);
  if (!parsed.success) throw new ConfigError(`--config: ${file} is not a JSON object of settings`);
  const unknown = Object.keys(parsed.data).find((name) => !Object.hasOwn(settings, name));
  if (unknown) throw new ConfigError(`${unknown} in ${file}: unknown setting`);
  return Object.fromEntries(Object.entries(parsed.data).map(([name, value]) => [name, String(value)]));
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
