import { Cron } from 'croner';
import { z } from 'zod';
import type { AdapterRegistry } from '../adapters/adapter';
import { DomainError } from '../kernel/errors';
import { parse } from '../http/parse';
import { jsonObject } from '../http/schemas';
import type { AgentConfiguration } from './domain/agent.events';
import type { AgentPermissions } from './domain/permissions';
import { defaultPermissions } from './domain/permissions';
import type { HeartbeatPolicy } from './domain/policy';
import { defaultPolicy } from './domain/policy';

const DAY_SEC = 86_400;
const YEAR_SEC = 366 * DAY_SEC;

export const name = z.string().trim().min(1).max(200);
export const externalKey = z.string().min(1).max(200);

const seconds = (maximum: number) => z.number().int().min(0).max(maximum);
const count = (maximum: number) => z.number().int().min(1).max(maximum);

export const policyFields = {
  enabled: z.boolean().describe('Timers may wake the agent'),
  intervalSec: seconds(YEAR_SEC).describe('Between two timer wakeups; 0: no interval'),
  cron: z.string().min(1).max(200).nullable().describe('Five fields, instead of the interval'),
  timezone: z.string().min(1).max(100).nullable().describe('IANA name: where `cron` is read'),
  jitterSec: seconds(DAY_SEC).describe('At most this is added at random to each due time'),
  catchUp: z.enum(['once', 'skip']).describe('After downtime: one wakeup for all that was missed, or none'),
  wakeOnDemand: z.boolean().describe('Everything but timers may wake the agent'),
  maxConcurrentRuns: count(1_000),
  whenBusy: z
    .enum(['followUp', 'coalesce', 'enqueue', 'interrupt', 'reject'])
    .describe('What becomes of a wakeup while no run of the agent may start'),
  maxDailyRuns: count(1_000_000).nullable().describe('Starts per UTC day; null: no cap'),
  timeoutSec: seconds(YEAR_SEC).describe('0: none'),
  silenceTimeoutSec: seconds(YEAR_SEC).describe('Longest time without output; 0: none'),
  graceSec: seconds(3_600).describe('Between SIGTERM and SIGKILL'),
  retry: z.strictObject({ maxAttempts: count(100), backoffSec: seconds(DAY_SEC) }).nullable(),
  circuitBreaker: z
    .strictObject({ failures: count(1_000), coolDownSec: seconds(30 * DAY_SEC) })
    .nullable()
    .describe(
      'After so many failures in a row nothing is started; after the cool-down there is one trial run',
    ),
  logQuotaBytes: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
  placement: z.enum(['node', 'any']).describe('Which node may run it: the one that it is placed on, or any'),
};

const olderName = z.boolean().describe('An older name of `wakeOnDemand`');

const heartbeat = z
  .strictObject({
    ...policyFields,
    wakeOnAssignment: olderName,
    wakeOnOnDemand: olderName,
    wakeOnAutomation: olderName,
  })
  .partial()
  .superRefine(({ cron, timezone, intervalSec }, context) => {
    const refuse = (field: string, message: string) =>
      context.addIssue({ code: 'custom', path: [field], message });
    if (cron && intervalSec) refuse('cron', 'give either cron or intervalSec');
    if (cron && !isCron(cron)) refuse('cron', 'not a cron expression of five fields');
    if (timezone && !cron) refuse('timezone', 'is read together with cron');
    if (timezone && !isTimezone(timezone)) refuse('timezone', 'not the name of a time zone');
  })
  .transform((given): HeartbeatPolicy => {
    const { wakeOnAssignment, wakeOnOnDemand, wakeOnAutomation, ...own } = given;
    // The older names stand for the one that took their place, the first that is given.
    const wakeOnDemand = own.wakeOnDemand ?? wakeOnAssignment ?? wakeOnOnDemand ?? wakeOnAutomation;
    return { ...defaultPolicy, ...own, wakeOnDemand: wakeOnDemand ?? defaultPolicy.wakeOnDemand };
  })
  .meta({ id: 'PolicyRequest', description: 'What is left out has its default.' });

function isCron(expression: string): boolean {
  if (expression.trim().split(/\s+/).length !== 5) return false;
  try {
    return new Cron(expression, { paused: true }).nextRun() !== null;
  } catch {
    return false;
  }
}

function isTimezone(timezone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: timezone });
    return true;
  } catch {
    return false;
  }
}

export const permissionFields = {
  wake: z.enum(['none', 'self', 'company']).describe('Whom the agent may wake, with the token of its run'),
  loopLimit: z
    .strictObject({ wakeups: count(1_000_000), withinSec: seconds(DAY_SEC).min(1) })
    .nullable()
    .describe(
      'So many wakeups in a row, each by the run before it and within so many seconds of its start, are a loop: the next one is skipped; null: never',
    ),
};

const permissions = z
  .strictObject(permissionFields)
  .partial()
  .transform((given): AgentPermissions => ({ ...defaultPermissions, ...given }))
  .meta({ id: 'PermissionsRequest', description: 'What is left out has its default.' });

const configurationFields = {
  name,
  adapterType: z.string().min(1).max(100).describe('How it is executed: `process`, …'),
  adapterConfig: jsonObject.describe('What is executed: its form is that of the adapter'),
  runtimeConfig: z
    .strictObject({ heartbeat: heartbeat.prefault({}), permissions: permissions.prefault({}) })
    .prefault({}),
};

export const registerAgentSchema = z
  .strictObject({
    ...configurationFields,
    externalKey: externalKey.nullish().describe("The caller's own name for it, unique in its company"),
    requiresApproval: z.boolean().default(false).describe('It cannot be woken before it is approved'),
  })
  .meta({
    id: 'AgentRequest',
    examples: [
      {
        name: 'greeter',
        adapterType: 'process',
        adapterConfig: { command: 'echo', args: ['Good morning'] },
        runtimeConfig: { heartbeat: { intervalSec: 3600, timeoutSec: 60 } },
      },
    ],
  });

export const configurationSchema = z.strictObject(configurationFields);

/** What a merge patch may name; the merged whole is checked by `configurationSchema`. */
export const agentPatchSchema = z
  .strictObject({
    name: z.unknown().optional(),
    adapterType: z.unknown().optional(),
    adapterConfig: z.unknown().optional(),
    runtimeConfig: z.unknown().optional(),
  })
  .meta({
    id: 'AgentPatch',
    description: 'A JSON merge patch (RFC 7396): null takes a field back to its default.',
    examples: [{ runtimeConfig: { heartbeat: { whenBusy: 'enqueue', timeoutSec: null } } }],
  });

export type AgentPatch = z.output<typeof agentPatchSchema>;

/** Whether the adapter exists and takes its configuration. @throws DomainError `bad_request` */
export function checkAdapter(adapters: AdapterRegistry, configuration: AgentConfiguration): void {
  const { adapterType, adapterConfig } = configuration;
  const adapter = adapters.get(adapterType);
  if (!adapter) {
    const known = adapters.types.join(', ');
    throw new DomainError('bad_request', `adapterType: unknown adapter, there are: ${known}`, {
      field: 'adapterType',
      issues: [{ path: 'adapterType', message: `unknown adapter, there are: ${known}` }],
    });
  }
  parse(z.object({ adapterConfig: adapter.configSchema }), { adapterConfig });
}

/** JSON merge patch (RFC 7396). Keys that could reach a prototype are taken as plain names. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const merged = new Map(Object.entries(isObject(target) ? target : {}));
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key);
    else merged.set(key, mergePatch(merged.get(key), value));
  }
  return Object.fromEntries(merged);
}

const olderNames = ['wakeOnAssignment', 'wakeOnOnDemand', 'wakeOnAutomation'];

/** The configuration with a patch on it, unchecked. */
export function patchedConfiguration(current: AgentConfiguration, patch: AgentPatch): unknown {
  const heartbeat = isObject(patch.runtimeConfig) ? patch.runtimeConfig['heartbeat'] : null;
  const givesOlderName =
    isObject(heartbeat) && olderNames.some((older) => (heartbeat[older] ?? null) !== null);
  // What is stored has no older names: one in the patch must not lose against the field that took its place.
  const base = givesOlderName
    ? mergePatch(current, { runtimeConfig: { heartbeat: { wakeOnDemand: null } } })
    : current;
  return mergePatch(base, patch);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
