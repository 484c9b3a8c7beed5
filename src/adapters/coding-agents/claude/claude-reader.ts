import type { NoteFact, OutputFact, OutputReader, ReportedResult, UsageFact } from '../../output-reader';
import type { JsonObject } from '../../json-lines/json-value';
import {
  amountAt,
  countAt,
  isObject,
  objectAt,
  parseObject,
  textAt,
  valueAt,
} from '../../json-lines/json-value';
import { leftWithoutResult } from '../ending';

const PROVIDER = 'anthropic';
/** What Claude Code reckons with for a model that it doesn't know. */
const PRICED_LIKE = 'claude-opus-4-8';
/** Messages that the program makes itself, as for an error of the API. */
const SYNTHETIC = '<synthetic>';
const NO_SESSION = 'No conversation found with session ID';
/** `Claude AI usage limit reached|1735689600` */
const LIMIT_UNTIL = /limit reached\|(\d{10})\b/;

/** Tokens of one call so far, as the API counts them. */
interface CallUsage {
  input: number;
  output: number;
  cacheRead: number;
  cacheWrite: number;
  /** The part of `cacheWrite` that is kept for an hour. */
  cacheWriteHour: number;
}

const NO_USAGE: CallUsage = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, cacheWriteHour: 0 };

interface Call {
  model: string | null;
  usage: CallUsage;
}

/**
 * `claude -p --output-format stream-json --verbose --include-partial-messages`, as of 2.1.
 *
 * A call is booked in two steps: what it reads when it begins (that is charged whatever becomes of it), the rest with
 * its `message_delta`. The usage on `assistant` lines is that of the beginning; it counts only for calls that were not
 * streamed. Totals of the process are in `result`, which is not printed by a program that was told to end.
 */
export class ClaudeReader implements OutputReader {
  /** The calls that are being streamed, by the tool use that they belong to: sub-agents stream beside each other. */
  private readonly open = new Map<string, Call>();
  private readonly seenMessages = new Set<string>();
  private model: string | null = null;
  private sessionId: string | null = null;
  private last: JsonObject | null = null;
  private limitedUntil: string | null = null;

  line(text: string): readonly OutputFact[] {
    const line = parseObject(text);
    if (line === null) return [];
    switch (line['type']) {
      case 'system':
        return this.system(line);
      case 'stream_event':
        return this.streamEvent(line);
      case 'assistant':
        return this.assistant(line);
      case 'rate_limit_event':
        return this.rateLimit(objectAt(line, 'rate_limit_info'));
      case 'result':
        this.last = line;
        return [];
      default:
        return [];
    }
  }

  isSessionMissing(stderr: string): boolean {
    return this.last === null
      ? stderr.includes(NO_SESSION)
      : errorsOf(this.last).some((error) => error.includes(NO_SESSION));
  }

  result(stderr: string): ReportedResult {
    const known = {
      provider: PROVIDER,
      ...(this.model !== null && { model: this.model }),
      ...(this.sessionId !== null && { sessionId: this.sessionId }),
    };
    if (this.last === null) return { ...known, errorMessage: leftWithoutResult('claude', stderr) };
    const costUsd = amountAt(this.last, 'total_cost_usd');
    const errorMessage = errorOf(this.last);
    const until = errorMessage === null ? null : (this.limitedUntil ?? untilIn(errorMessage));
    return {
      ...known,
      usage: totalOf(this.last),
      ...(costUsd !== null && { costUsd }),
      ...(errorMessage !== null && { errorMessage }),
      ...(until !== null && { retryNotBefore: until }),
      resultJson: summaryOf(this.last),
    };
  }

  private system(line: JsonObject): OutputFact[] {
    if (line['subtype'] === 'api_retry') return [retryNote(line)];
    if (line['subtype'] !== 'init') return [];
    // A program that was started once more: what an earlier one has said at its end counts no longer.
    this.last = null;
    this.model ??= textAt(line, 'model');
    this.sessionId = textAt(line, 'session_id') ?? this.sessionId;
    return this.sessionId === null ? [] : [{ type: 'session', sessionId: this.sessionId }];
  }

  private streamEvent(line: JsonObject): OutputFact[] {
    const event = objectAt(line, 'event');
    const key = textAt(line, 'parent_tool_use_id') ?? '';
    if (event['type'] === 'message_start') {
      const message = objectAt(event, 'message');
      this.seen(message);
      const model = textAt(message, 'model');
      if (key === '') this.model = model ?? this.model;
      this.open.set(key, { model, usage: NO_USAGE });
      return this.advance(key, objectAt(message, 'usage'));
    }
    return event['type'] === 'message_delta' ? this.advance(key, objectAt(event, 'usage')) : [];
  }

  /** A call that was not streamed, as when a broken stream is repeated: each block of it comes on a line of its own. */
  private assistant(line: JsonObject): OutputFact[] {
    const message = objectAt(line, 'message');
    const model = textAt(message, 'model');
    if (this.seen(message) || model === SYNTHETIC) return [];
    return usageFacts(model, NO_USAGE, usageOf(objectAt(message, 'usage'), NO_USAGE));
  }

  /** Answers whether the message was seen before. One without an id cannot be told from others, and is taken for known. */
  private seen(message: JsonObject): boolean {
    const id = textAt(message, 'id');
    if (id === null || this.seenMessages.has(id)) return true;
    this.seenMessages.add(id);
    return false;
  }

  /** What the API says is how much it is so far; what it doesn't repeat is as it was. */
  private advance(key: string, said: JsonObject): OutputFact[] {
    const call = this.open.get(key) ?? { model: this.model, usage: NO_USAGE };
    const usage = usageOf(said, call.usage);
    this.open.set(key, { ...call, usage });
    return usageFacts(call.model, call.usage, usage);
  }

  private rateLimit(info: JsonObject): OutputFact[] {
    if (info['status'] !== 'rejected') return [];
    this.limitedUntil = instantOf(countAt(info, 'resetsAt'));
    const message = `rate limit reached${this.limitedUntil === null ? '' : ` until ${this.limitedUntil}`}`;
    return [{ type: 'note', level: 'warn', message }];
  }
}

function usageOf(said: JsonObject, before: CallUsage): CallUsage {
  const cacheWrite = countAt(said, 'cache_creation_input_tokens') ?? before.cacheWrite;
  const hour = countAt(said, 'cache_creation', 'ephemeral_1h_input_tokens') ?? before.cacheWriteHour;
  return {
    input: countAt(said, 'input_tokens') ?? before.input,
    output: countAt(said, 'output_tokens') ?? before.output,
    cacheRead: countAt(said, 'cache_read_input_tokens') ?? before.cacheRead,
    cacheWrite,
    cacheWriteHour: Math.min(hour, cacheWrite),
  };
}

/** What a call has used since it was looked at last; never less than nothing, whatever it says. */
function usageFacts(model: string | null, before: CallUsage, now: CallUsage): UsageFact[] {
  const grown = (part: keyof CallUsage) => Math.max(0, now[part] - before[part]);
  const [inputTokens, outputTokens] = [grown('input') + grown('cacheWrite'), grown('output')];
  const cachedInputTokens = grown('cacheRead');
  if (inputTokens + outputTokens + cachedInputTokens === 0) return [];
  return [
    {
      ...{ type: 'usage', inputTokens, outputTokens, cachedInputTokens, surchargeTokens: surcharge(grown) },
      ...{ provider: PROVIDER, ...(model !== null && { model }), pricedLike: PRICED_LIKE },
    },
  ];
}

/** Writing a cache costs a quarter more than reading input, and twice as much where it is kept for an hour. */
function surcharge(grown: (part: keyof CallUsage) => number): number {
  const hour = Math.min(grown('cacheWriteHour'), grown('cacheWrite'));
  return (grown('cacheWrite') - hour) / 4 + hour;
}

/** Of the whole process: `modelUsage` has the calls of sub-agents and helpers, too. */
function totalOf(result: JsonObject): ReportedResult['usage'] {
  const models = Object.values(objectAt(result, 'modelUsage')).filter(isObject);
  const sum = (name: string) => models.reduce((total, model) => total + (countAt(model, name) ?? 0), 0);
  if (models.length > 0) {
    return {
      inputTokens: sum('inputTokens') + sum('cacheCreationInputTokens'),
      outputTokens: sum('outputTokens'),
      cachedInputTokens: sum('cacheReadInputTokens'),
    };
  }
  const { input, output, cacheRead, cacheWrite } = usageOf(objectAt(result, 'usage'), NO_USAGE);
  return { inputTokens: input + cacheWrite, outputTokens: output, cachedInputTokens: cacheRead };
}

/** An error of the API comes as `subtype: success` with `is_error`. */
function errorOf(result: JsonObject): string | null {
  const subtype = textAt(result, 'subtype') ?? 'unknown';
  if (result['is_error'] !== true && subtype === 'success') return null;
  return textAt(result, 'result') ?? (errorsOf(result).join('; ') || subtype);
}

function errorsOf(result: JsonObject): string[] {
  const errors = valueAt(result, 'errors');
  return Array.isArray(errors) ? errors.filter((error): error is string => typeof error === 'string') : [];
}

function summaryOf(result: JsonObject): unknown {
  const names = ['subtype', 'result', 'num_turns', 'duration_ms', 'stop_reason', 'api_error_status'];
  return Object.fromEntries(names.map((name) => [name, result[name] ?? null]));
}

function retryNote(line: JsonObject): NoteFact {
  const [attempt, most] = [countAt(line, 'attempt'), countAt(line, 'max_retries')];
  const status = countAt(line, 'error_status');
  const why = [status, textAt(line, 'error')].filter((part) => part !== null).join(' ');
  return { type: 'note', level: 'warn', message: `the API is asked again (${attempt}/${most}): ${why}` };
}

function untilIn(message: string): string | null {
  const seconds = LIMIT_UNTIL.exec(message)?.[1];
  return seconds === undefined ? null : instantOf(Number(seconds));
}

/** @param seconds since 1970 */
function instantOf(seconds: number | null): string | null {
  return seconds === null || seconds > 1e11 ? null : new Date(seconds * 1000).toISOString();
}
