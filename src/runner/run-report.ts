import { z } from 'zod';
import type { RunReport } from '../agents/domain/agent.events';
import type { JsonLimits } from './json-limits';
import { jsonProblem, shortened, tooLarge } from './json-limits';
import type { Mask } from './mask';
import { readRegularFile } from './read-regular-file';
import { messageOf } from './run-failure';

export const MAX_RESULT_BYTES = 1024 * 1024;
const MAX_ERROR_MESSAGE_BYTES = 8 * 1024;
const RESULT_LIMITS: JsonLimits = { maxDepth: 32, maxBytes: 256 * 1024 };
const STATE_LIMITS: JsonLimits = { maxDepth: 32, maxBytes: 64 * 1024 };

const count = z.number().int().nonnegative();

export const usageSchema = z.object({
  inputTokens: count.default(0),
  outputTokens: count.default(0),
  cachedInputTokens: count.default(0),
});

/** US dollars, as integer micro-dollars. */
export const costUsdSchema = z
  .number()
  .transform(toMicros)
  .refine(Number.isSafeInteger, 'is more than anybody could pay');

/** The next run gets it as a variable, and programs as an argument: neither can hold every character. */
export const sessionIdSchema = z
  .string()
  .min(1)
  .max(1_000)
  .regex(/^\P{Cc}*$/u, 'must not contain control characters');

/** Of a model or its provider. */
export const MAX_NAME_LENGTH = 200;
export const modelName = z.string().max(MAX_NAME_LENGTH);

/** A refinement for what an agent reports. */
export function withinLimits(limits: JsonLimits) {
  return (value: unknown, context: z.RefinementCtx): void => {
    const problem = value === undefined ? null : tooLarge(value, limits);
    if (problem !== null) context.addIssue({ code: 'custom', message: problem });
  };
}

/** Every field stands alone, so that a wrong one costs nothing but itself. Unknown ones are left out. */
const fields = {
  usage: usageSchema.nullish(),
  costUsd: costUsdSchema.nullish(),
  provider: modelName.nullish(),
  model: modelName.nullish(),
  sessionId: sessionIdSchema.nullish(),
  clearSession: z.boolean().nullish(),
  errorMessage: z.string().nullish(),
  resultJson: z.unknown().superRefine(withinLimits(RESULT_LIMITS)),
  state: z.unknown().superRefine(withinLimits(STATE_LIMITS)),
  retryNotBefore: z.iso
    .datetime({ offset: true })
    .transform((value) => new Date(value).toISOString())
    .nullish(),
};

/** What a report can say, by name. */
export const REPORT_FIELDS: ReadonlySet<string> = new Set(Object.keys(fields));

type Fields = { [Name in keyof typeof fields]?: z.infer<(typeof fields)[Name]> };

export interface ParsedReport {
  report: RunReport | null;
  /** What was wrong, one text a field; empty where all is well. */
  problems: readonly string[];
}

/** The report of an agent that had nothing to say. */
export const NOTHING_SAID: RunReport = toReport({});

export const NO_REPORT: ParsedReport = { report: null, problems: [] };

/** Reads a run's result file. None, or an empty one, is no report and no problem. */
export function readRunReport(path: string): ParsedReport {
  try {
    const bytes = readRegularFile(path, MAX_RESULT_BYTES);
    return bytes === null || bytes.length === 0 ? NO_REPORT : parseRunReport(bytes.toString());
  } catch (error) {
    return { report: null, problems: [messageOf(error)] };
  }
}

export function parseRunReport(json: string): ParsedReport {
  let value: unknown;
  try {
    value = JSON.parse(withoutMark(json));
  } catch (error) {
    return { report: null, problems: [jsonProblem(error)] };
  }
  return reportOf(value);
}

/** What .NET and PowerShell put before UTF-8 says nothing. */
export function withoutMark(json: string): string {
  return json.replace(/^\uFEFF/, '');
}

/** A result that is there as a value. */
export function reportOf(value: unknown): ParsedReport {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { report: null, problems: ['not a JSON object'] };
  }
  const problems: string[] = [];
  const valid: Fields = {};
  for (const [name, schema] of Object.entries(fields)) {
    const parsed = schema.safeParse((value as Record<string, unknown>)[name]);
    if (parsed.success) Object.assign(valid, { [name]: parsed.data });
    else
      problems.push(
        ...parsed.error.issues.map((issue) => describeIssue([name, ...issue.path], issue.message)),
      );
  }
  return { report: toReport(valid), problems };
}

/** One report out of two: what the first one says goes before what the second one says. */
export function mergedReports(first: ParsedReport, second: ParsedReport): ParsedReport {
  const problems = [...first.problems, ...second.problems];
  if (first.report === null || second.report === null)
    return { report: first.report ?? second.report, problems };
  const said = Object.entries(first.report).filter(([, value]) => value !== null && value !== undefined);
  const clearSession = first.report.clearSession || second.report.clearSession;
  return { report: { ...second.report, ...Object.fromEntries(said), clearSession }, problems };
}

/** The report without the secrets that the agent was given, and its error message no longer than anybody reads. */
export function maskedReport(report: RunReport, mask: Mask): RunReport {
  const { provider, model, sessionId, errorMessage, resultJson, state } = report;
  return {
    ...report,
    ...mask.texts({ provider, model, sessionId }),
    // Masked before it is cut: half a secret would not be found.
    errorMessage: errorMessage && shortened(mask.text(errorMessage), MAX_ERROR_MESSAGE_BYTES),
    resultJson: mask.json(resultJson),
    state: mask.json(state),
  };
}

/** Micro-dollars; halves are rounded up as they are written, not as a binary fraction has them. Negative counts as 0. */
export function toMicros(usd: number): number {
  if (!(usd > 0)) return 0;
  const [digits, exponent = '0'] = String(usd).split('e');
  return Math.round(Number(`${digits}e${Number(exponent) + 6}`));
}

export function describeIssue(path: readonly PropertyKey[], message: string): string {
  return `${path.map(String).join('.')}: ${message}`;
}

function toReport(valid: Fields): RunReport {
  return {
    usage: valid.usage ?? null,
    costMicros: valid.costUsd ?? null,
    provider: valid.provider ?? null,
    model: valid.model ?? null,
    sessionId: valid.sessionId ?? null,
    clearSession: valid.clearSession ?? false,
    errorMessage: valid.errorMessage ?? null,
    resultJson: valid.resultJson ?? null,
    state: valid.state,
    retryNotBefore: valid.retryNotBefore ?? null,
  };
}
