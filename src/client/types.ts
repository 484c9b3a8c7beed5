import type { z } from 'zod';
import type { AgentPatch, registerAgentSchema } from '../agents/agent.schemas';
import type { AgentView } from '../agents/agent.view';
import type { budgetRequest } from '../budgets/budget.view';
import type { tokenRequest } from '../auth/tokens.routes';
import type { companyPatch, companyRequest } from '../companies/companies.routes';
import type { Grouping } from '../costs/cost-groups';
import type { priceTableRequest } from '../costs/costs.routes';
import type { LiveEvent } from '../live/live-events';
import type { OutputStream } from '../runs/domain/run-log.events';
import type { RunView } from '../runs/run.view';
import type { noteRequest, usageRequest } from '../runs/runs.routes';
import type { wakeupSchema } from '../wakeups/wakeup.schemas';

export type { AgentChangeView, AgentView, RuntimeStateView } from '../agents/agent.view';
export type { StatusChange } from '../agents/agent.handlers';
export type { BudgetView } from '../budgets/budget.view';
export type { AsOfAnswer, KeysAnswer, WhyAnswer } from '../audit/audit.routes';
export type { Finding } from '../audit/domain/finding';
export type {
  VerificationProgress,
  VerificationResult,
  VerificationStep,
} from '../audit/verification/verification';
export type { NewTokenView, TokenView } from '../auth/token.view';
export type { CompanyView } from '../companies/company.view';
export type { CostsView, PriceTableView } from '../costs/costs.routes';
export type { ReadyView } from '../health/health.routes';
export type { LiveEvent, LiveEventType, LivePayload } from '../live/live-events';
export type { RunEventView, RunView, RunWithExcerptsView } from '../runs/run.view';
export type { ConsumerAnswer, ConsumersAnswer, JobAnswer } from '../operations/projections.routes';
export type { LogAnswer, Reaped, ReportedView } from '../runs/runs.routes';
export type { SecretView } from '../secrets/secrets.routes';
export type { Ticked } from '../timers/alarm-clock';
export type { WakeupView } from '../wakeups/wakeup.view';
export type { WakeAnswer } from '../wakeups/wakeups.routes';
export type { AgentPatch, Grouping, OutputStream };

export type AgentStatus = AgentView['status'];
export type RunStatus = RunView['status'];
export type CompanyRequest = z.input<typeof companyRequest>;
export type CompanyPatch = z.input<typeof companyPatch>;
export type AgentRequest = z.input<typeof registerAgentSchema>;
export type TokenRequest = z.input<typeof tokenRequest>;
export type RunNoteRequest = z.input<typeof noteRequest>;
export type RunUsageRequest = z.input<typeof usageRequest>;
export type WakeRequest = z.input<typeof wakeupSchema>;
export type BudgetRequest = z.input<typeof budgetRequest>;
export type CostsQuery = { from?: string; to?: string; groupBy?: Grouping };

export interface RebuildRequest {
  swap: boolean;
}

export type PriceTableRequest = z.input<typeof priceTableRequest>;

export interface Page<T> {
  items: T[];
  /** null: this is the last page. */
  nextCursor: string | null;
}

/** Which page of a list. */
export interface PageQuery {
  limit?: number;
  cursor?: string;
}

/** A place in a run's log; without `stream` in the combined one. */
export interface LogPlace {
  stream?: OutputStream;
  /** In bytes. */
  offset: number;
}

/** What followers are told: the payload is that of the type. */
export type LiveMessage = LiveEvent & {
  /** Of this message: `after` takes it. */
  cursor: string;
  /** Of the event that it tells of. */
  position: string;
  companyId: string;
  at: string;
};

/** What to follow of a company; nothing said: all of it, from now on, without what runs write. */
export interface FollowQuery {
  agentId?: string;
  runId?: string;
  logs?: boolean;
  /** A position, or the cursor of a message: only what came after it. */
  after?: string;
  signal?: AbortSignal;
}
