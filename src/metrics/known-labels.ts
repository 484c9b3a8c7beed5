import type { WakeupRequested } from '../agents/domain/agent.events';
import { endCauses } from '../agents/domain/agent.events';
import type { CostSource } from '../costs/domain/cost-entry';
import { errorCatalogue } from '../kernel/errors';
import type { RunFailureCode } from '../runner/run-failure';
import type { LabelsOf, MetricName } from './metric-table';

const sources: WakeupRequested['data']['source'][] = ['timer', 'assignment', 'on_demand', 'automation'];
const decisions = ['queued', 'coalesced', 'deferred', 'skipped'];
const costSources: CostSource[] = ['reported', 'priced'];
const failures = Object.keys({
  adapter_unknown: true,
  adapter_failed: true,
  spawn_failed: true,
  spool_failed: true,
  process_lost: true,
  kill_failed: true,
} satisfies Record<RunFailureCode, true>);

/**
 * The labels that can be told beforehand: what they count is there from the start, at 0. Of a counter that comes with
 * its first 1 Prometheus sees no increase, and an alert misses just what it is for.
 * https://prometheus.io/docs/practices/instrumentation/#avoid-missing-metrics
 */
export const knownLabels: { readonly [Name in MetricName]?: readonly LabelsOf<Name>[] } = {
  reveille_wakeups_requested_total: sources.map((source) => ({ source })),
  reveille_wakeup_decisions_total: decisions.map((decision) => ({ decision })),
  reveille_runs_finished_total: [
    { status: 'succeeded', error_code: 'none' },
    ...Object.values(endCauses).map(({ status, errorCode }) => ({ status, error_code: errorCode })),
    ...failures.map((error_code) => ({ status: 'failed', error_code })),
  ],
  reveille_cost_micros_total: costSources.map((source) => ({ source })),
  reveille_tokens_total: ['input', 'output', 'cached_input'].map((kind) => ({ kind })),
  reveille_budget_events_total: ['agent', 'company'].flatMap((scope) =>
    ['warned', 'exceeded', 'restored'].map((event) => ({ scope, event })),
  ),
  reveille_refusals_total: Object.keys(errorCatalogue).map((code) => ({ code })),
  reveille_append_seconds: ['ok', 'conflict', 'failed'].map((result) => ({ result })),
};
