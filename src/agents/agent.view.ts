import { z } from 'zod';
import { monthOf, spendingIn } from '../budgets/domain/spending';
import { count, id, jsonObject, pageOf, timestamp } from '../http/schemas';
import { permissionFields, policyFields } from './agent.schemas';
import { defaultPermissions } from './domain/permissions';
import type { AgentDocument } from './projections/agents.projection';

export const agentStatusSchema = z
  .enum(['pending_approval', 'idle', 'running', 'error', 'paused', 'terminated'])
  .meta({ id: 'AgentStatus' });

const policySchema = z
  .object(policyFields)
  .meta({ id: 'Policy', description: 'How an agent may be woken and run' });

const permissionsSchema = z
  .object(permissionFields)
  .meta({ id: 'Permissions', description: 'What an agent may do by itself' });

export const agentSchema = z
  .object({
    id,
    companyId: id,
    externalKey: z.string().nullable(),
    name: z.string(),
    adapterType: z.string(),
    adapterConfig: jsonObject,
    runtimeConfig: z.object({ heartbeat: policySchema, permissions: permissionsSchema }),
    requiresApproval: z.boolean().describe('Whether it was registered so, approved since or not'),
    status: agentStatusSchema,
    statusReason: z.string().nullable(),
    lastHeartbeatAt: timestamp.nullable().describe('When its last run ended'),
    activeRunIds: z.array(id),
    nextDueAt: timestamp.nullable().describe('When its timer goes off'),
    spentMonthMicros: z.int().describe('Micro-dollars, in this UTC month'),
    version: count.describe('For `If-Match`: it grows with each change of the configuration'),
    createdAt: timestamp,
  })
  .meta({ id: 'Agent' });

/** An agent as answers show it. */
export type AgentView = z.output<typeof agentSchema>;

export const agentPageSchema = pageOf('AgentPage', agentSchema);

export const agentChangeSchema = agentSchema
  .extend({ cancelledRuns: z.array(id).describe('Runs that were told to end') })
  .meta({ id: 'AgentChange' });

export type AgentChangeView = z.output<typeof agentChangeSchema>;

export const runtimeStateSchema = z
  .object({
    agentId: id,
    taskKey: z.string().nullable().describe('null: of the agent as a whole'),
    companyId: id,
    sessionId: z.string().nullable(),
    sessionDisplayId: z.string().nullable(),
    stateJson: z.unknown().describe('What the last result set as `state`'),
    lastRunId: id.nullable(),
    lastRunStatus: z.string().nullable(),
    lastError: z.string().nullable(),
    totalInputTokens: z.int(),
    totalOutputTokens: z.int(),
    totalCachedInputTokens: z.int(),
    totalCostMicros: z.int(),
    updatedAt: timestamp.nullable(),
  })
  .meta({ id: 'RuntimeState', description: 'What an agent carries from run to run' });

export type RuntimeStateView = z.output<typeof runtimeStateSchema>;

export function agentView(document: AgentDocument, now: Date): AgentView {
  const { id, companyId, externalKey, name, adapterType, adapterConfig, runtimeConfig } = document;
  const { status, statusReason, lastHeartbeatAt, activeRunIds, version, createdAt, spent } = document;
  const { requiresApproval } = document;
  return {
    id,
    companyId,
    externalKey,
    name,
    adapterType,
    adapterConfig,
    runtimeConfig: { permissions: defaultPermissions, ...runtimeConfig },
    requiresApproval,
    status,
    statusReason,
    lastHeartbeatAt,
    activeRunIds,
    nextDueAt: document.nextDueAt,
    spentMonthMicros: spendingIn(monthOf(now.toISOString()), spent).micros,
    version,
    createdAt,
  };
}
