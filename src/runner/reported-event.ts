import { z } from 'zod';
import type { RunEventInput } from './run-event-writer';
import { costUsdSchema, describeIssue, usageSchema } from './run-report';
import { messageOf } from './run-failure';

const usageLine = z
  .object({
    type: z.literal('usage'),
    usage: usageSchema.nullish(),
    costUsd: costUsdSchema.nullish(),
    provider: z.string().nullish(),
    model: z.string().nullish(),
  })
  .extend(usageSchema.shape);

const noteLine = z.object({
  type: z.literal('note'),
  message: z.string(),
  level: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  payload: z.record(z.string(), z.unknown()).nullish(),
});

const lineSchema = z.discriminatedUnion('type', [usageLine, noteLine]);

/**
 * One line of a run's events file as a run event: `{type: "usage", inputTokens, outputTokens, cachedInputTokens,
 * costUsd, provider, model}` (the counts may also stand in `usage`, as in a result) or `{type: "note", message, level,
 * payload}`.
 *
 * @throws Error saying what is wrong with the line
 */
export function parseReportedEvent(line: string): RunEventInput {
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
  return {
    eventType: 'usage',
    message: `${inputTokens} input tokens (${cachedInputTokens} cached), ${outputTokens} output tokens`,
    payload: {
      inputTokens,
      outputTokens,
      cachedInputTokens,
      costMicros: costUsd ?? null,
      provider: provider ?? null,
      model: model ?? null,
    },
  };
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new Error(`not JSON: ${messageOf(error)}`, { cause: error });
  }
}
