import { z } from 'zod';
import type { ReportedCost } from '../costs/domain/cost-entry';
import { jsonProblem } from './json-limits';
import type { RunEventInput } from './run-event-writer';
import { costUsdSchema, describeIssue, modelName, usageSchema, withinLimits } from './run-report';

const PAYLOAD_LIMITS = { maxDepth: 8, maxBytes: 16 * 1024 };

const usageLine = z
  .object({
    type: z.literal('usage'),
    usage: usageSchema.nullish(),
    costUsd: costUsdSchema.nullish(),
    provider: modelName.nullish(),
    model: modelName.nullish(),
  })
  .extend(usageSchema.shape);

const noteLine = z.object({
  type: z.literal('note'),
  message: z.string(),
  level: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  payload: z.record(z.string(), z.unknown()).superRefine(withinLimits(PAYLOAD_LIMITS)).nullish(),
});

const lineSchema = z.discriminatedUnion('type', [usageLine, noteLine]);

/** Usage as the agent said it, before anybody has priced it. */
export interface ReportedUsage {
  eventType: 'usage';
  reported: ReportedCost;
  payload: Record<string, unknown> | null;
}

export type ReportedEvent = RunEventInput<'note'> | ReportedUsage;

/**
 * One line of a run's events file: `{type: "usage", inputTokens, outputTokens, cachedInputTokens,
 * costUsd, provider, model}` (the counts may also stand in `usage`, as in a result) or `{type: "note", message, level,
 * payload}`.
 *
 * @throws Error saying what is wrong with the line
 */
export function parseReportedEvent(line: string): ReportedEvent {
  const parsed = lineSchema.safeParse(parseJson(line));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new Error(describeIssue(issue!.path, issue!.message));
  }
  if (parsed.data.type === 'note') {
    const { message, level, payload } = parsed.data;
    return { eventType: 'note', message, level, payload: payload ?? null };
  }
  const { usage, costUsd, provider, model } = parsed.data;
  const { inputTokens, outputTokens, cachedInputTokens } = usage ?? parsed.data;
  const reported = {
    usage: { inputTokens, outputTokens, cachedInputTokens },
    costMicros: costUsd ?? null,
    provider: provider ?? null,
    model: model ?? null,
  };
  return { eventType: 'usage', reported, payload: null };
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new Error(jsonProblem(error), { cause: error });
  }
}
