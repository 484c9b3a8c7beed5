import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { JsonObject } from '../../json-lines/json-value';
import { countAt, objectAt, parseObject, textAt } from '../../json-lines/json-value';
import type { OutputFact, ReportedResult } from '../../output-reader';

export const PROVIDER = 'openai';

const DAY_MS = 24 * 3_600_000;
const THREAD_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Tokens over a whole thread, as Codex counts them. */
export interface ThreadUsage {
  /** Those that were read from a cache among them. */
  input: number;
  cached: number;
  output: number;
}

const NO_USAGE: ThreadUsage = { input: 0, cached: 0, output: 0 };

type RunUsage = NonNullable<ReportedResult['usage']>;

const NOTHING: RunUsage = { inputTokens: 0, outputTokens: 0, cachedInputTokens: 0 };

export function threadUsageOf(said: JsonObject): ThreadUsage {
  return {
    input: countAt(said, 'input_tokens') ?? 0,
    cached: countAt(said, 'cached_input_tokens') ?? 0,
    output: countAt(said, 'output_tokens') ?? 0,
  };
}

/** What was used between two looks at a thread; never less than nothing. */
export function subtracted(now: ThreadUsage, before: ThreadUsage): RunUsage {
  const cachedInputTokens = Math.max(0, now.cached - before.cached);
  return {
    inputTokens: Math.max(0, now.input - before.input - cachedInputTokens),
    outputTokens: Math.max(0, now.output - before.output),
    cachedInputTokens,
  };
}

/**
 * The file in which Codex keeps a thread, `$CODEX_HOME/sessions/YYYY/MM/DD/rollout-<time>-<thread id>.jsonl`. With each
 * call of the model come a `token_usage_record`, at once, and a `token_count`, when its tools are done, whose totals are
 * over the thread. Where a run is broken off between the two, the program forgets the call: a thread that goes on counts
 * from its last `token_count`.
 */
export class CodexRollout {
  /** The model in use, as far as the thread has said. */
  model: string | null;
  /** Until when the account has no quota left, ISO 8601. */
  limitedUntil: string | null = null;
  /** By the last `token_count` before this run. */
  private past = NO_USAGE;
  private hasBegun = false;
  private booked = NOTHING;

  constructor(
    private readonly startedAt: Date,
    configuredModel: string | null,
  ) {
    this.model = configuredModel;
  }

  /** What the thread had used when the run began; null where the file hasn't been read that far. */
  get before(): ThreadUsage | null {
    return this.hasBegun ? this.past : null;
  }

  /** The folder is named after the local day on which the thread began; its id says when that was. */
  static async find(threadId: string, environment: Readonly<Record<string, string>>): Promise<string | null> {
    const { CODEX_HOME, HOME } = environment;
    const home = CODEX_HOME ?? (HOME === undefined ? null : join(HOME, '.codex'));
    if (home === null || !THREAD_ID.test(threadId)) return null;
    const begunAtMs = parseInt(threadId.replaceAll('-', '').slice(0, 12), 16);
    for (const shift of [0, -DAY_MS, DAY_MS]) {
      const day = new Date(begunAtMs + shift).toISOString().slice(0, 10);
      const folder = join(home, 'sessions', ...day.split('-'));
      const names = await readdir(folder).catch(() => []);
      const name = names.find((candidate) => candidate.endsWith(`-${threadId}.jsonl`));
      if (name !== undefined) return join(folder, name);
    }
    return null;
  }

  line(text: string): readonly OutputFact[] {
    const line = parseObject(text);
    if (line === null) return [];
    const payload = objectAt(line, 'payload');
    const isOfThisRun = Date.parse(textAt(line, 'timestamp') ?? '') >= this.startedAt.getTime();
    this.hasBegun ||= isOfThisRun;
    if (line['type'] === 'turn_context') this.model = textAt(payload, 'model') ?? this.model;
    if (line['type'] === 'token_usage_record')
      return isOfThisRun ? this.count(objectAt(payload, 'thread_token_usage')) : [];
    if (line['type'] !== 'event_msg' || payload['type'] !== 'token_count') return [];
    const total = objectAt(payload, 'info', 'total_token_usage');
    if (isOfThisRun) {
      this.noteLimits(objectAt(payload, 'rate_limits'));
      return this.count(total);
    }
    if (Object.keys(total).length > 0) this.past = threadUsageOf(total);
    return [];
  }

  /** The same total comes more than once: from both kinds of lines, and where only the limits have changed. */
  private count(total: JsonObject): OutputFact[] {
    const used = subtracted(threadUsageOf(total), this.past);
    const grown = (kind: keyof RunUsage) => Math.max(0, used[kind] - this.booked[kind]);
    const [inputTokens, outputTokens] = [grown('inputTokens'), grown('outputTokens')];
    const cachedInputTokens = grown('cachedInputTokens');
    if (inputTokens + outputTokens + cachedInputTokens === 0) return [];
    this.booked = {
      inputTokens: this.booked.inputTokens + inputTokens,
      outputTokens: this.booked.outputTokens + outputTokens,
      cachedInputTokens: this.booked.cachedInputTokens + cachedInputTokens,
    };
    const { model } = this;
    return [
      {
        ...{ type: 'usage', inputTokens, outputTokens, cachedInputTokens, provider: PROVIDER },
        ...(model !== null && { model }),
      },
    ];
  }

  private noteLimits(limits: JsonObject): void {
    for (const window of ['primary', 'secondary']) {
      const used = objectAt(limits, window)['used_percent'];
      const resetsAt = countAt(limits, window, 'resets_at');
      if (typeof used !== 'number' || used < 100 || resetsAt === null || resetsAt > 1e11) continue;
      const until = new Date(resetsAt * 1000).toISOString();
      if (this.limitedUntil === null || until > this.limitedUntil) this.limitedUntil = until;
    }
  }
}
