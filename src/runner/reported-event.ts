import { z } from 'zod';
import type { ReportedCost } from '../costs/domain/cost-entry';
import { jsonProblem, shortened } from './json-limits';
import type { Mask } from './mask';
import type { RunEventInput } from './run-event-writer';
import { costUsdSchema, describeIssue, modelName, usageSchema, withinLimits } from './run-report';

const PAYLOAD_LIMITS = { maxDepth: 8, maxBytes: 16 * 1024 };

/** What a report of usage says, in a line or in a request. */
export const usageFields = {
  usage: usageSchema.nullish().describe('Instead of the counts beside it, as in a result'),
  costUsd: costUsdSchema.nullish(),
  provider: modelName.nullish(),
  model: modelName.nullish(),
  ...usageSchema.shape,
};

export const noteFields = {
  message: z.string(),
  level: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  payload: z.record(z.string(), z.unknown()).superRefine(withinLimits(PAYLOAD_LIMITS)).nullish(),
};

const usageLine = z.object({ type: z.literal('usage'), ...usageFields });
const noteLine = z.object({ type: z.literal('note'), ...noteFields });

/** A longer one is cut. */
const MAX_MESSAGE_BYTES = 8 * 1024;

const lineSchema = z.discriminatedUnion('type', [usageLine, noteLine]);

/** Usage as the agent said it, before anybody has priced it. */
export interface ReportedUsage {
  eventType: 'usage';
  reported: ReportedCost;
  payload: Record<string, unknown> | null;
}

type Said<Line extends z.ZodType> = Omit<z.output<Line>, 'type'>;

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
  return parsed.data.type === 'note' ? reportedNote(parsed.data) : reportedUsage(parsed.data);
}

export function reportedNote({ message, level, payload }: Said<typeof noteLine>): RunEventInput<'note'> {
  return { eventType: 'note', message, level, payload: payload ?? null };
}

export function reportedUsage(said: Said<typeof usageLine>): ReportedUsage {
  const { usage, costUsd, provider, model } = said;
  const { inputTokens, outputTokens, cachedInputTokens } = usage ?? said;
  const reported = {
    usage: { inputTokens, outputTokens, cachedInputTokens },
    costMicros: costUsd ?? null,
    provider: provider ?? null,
    model: model ?? null,
  };
  return { eventType: 'usage', reported, payload: null };
}

/** The same without the secrets that the agent was given, and with a message no longer than anybody reads. */
export function maskedReported(event: ReportedEvent, mask: Mask): ReportedEvent {
  if (event.eventType === 'note') {
    // Masked before it is cut: half a secret would not be found.
    const message = shortened(mask.text(event.message), MAX_MESSAGE_BYTES);
    return { ...event, message, payload: mask.json(event.payload ?? null) as Record<string, unknown> | null };
  }
  const { provider, model } = event.reported;
  return { ...event, reported: { ...event.reported, ...mask.texts({ provider, model }) } };
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new Error(jsonProblem(error), { cause: error });
  }
}
