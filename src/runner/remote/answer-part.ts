import { isDeeperThan } from '../../kernel/json-depth';
import type { OutputStream } from '../../runs/domain/run-log.events';
import type { Line } from '../lines';
import { linesIn } from '../lines';
import { withoutMark } from '../run-report';

/** Room for the largest result, and for a log line that nobody reads to its end anyway. */
const MAX_LINE_BYTES = 2 * 1024 * 1024;
const MAX_SHOWN_NAME = 50;
/** More than any field of a result or a note may have: what is left out for it here would be refused there. */
const MAX_DEPTH = 64;

/** What one message of an answer that comes as a stream says. */
export type AnswerPart =
  | { type: 'log'; stream: OutputStream; text: string }
  /** A line as agents write it to their events file. */
  | { type: 'usage' | 'note'; line: string }
  /** The last word: a run has one result. */
  | { type: 'result'; json: string }
  | { type: 'problem'; text: string };

/** `application/x-ndjson`: a line is `{type: "log", text, stream?}`, `{type: "usage" | "note", …}` or `{type: "result", …}`. */
export async function* ndjsonParts(pieces: AsyncIterable<Buffer>): AsyncGenerator<AnswerPart> {
  for await (const line of unmarked(linesIn(pieces, MAX_LINE_BYTES))) {
    if (line.isTooLong) yield tooLong();
    else if (line.text.trim() !== '') yield partOfJson(line.text);
  }
}

/**
 * `text/event-stream`: an event is named as the lines of NDJSON are typed, or unnamed and typed as they are. The data
 * of a `log` may also be plain text, which is then a line; so is that of an unnamed event without a type.
 *
 * The format: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
export async function* sseParts(pieces: AsyncIterable<Buffer>): AsyncGenerator<AnswerPart> {
  let event = new SseEvent();
  for await (const line of fieldLines(linesIn(pieces, MAX_LINE_BYTES))) {
    if (line.text === '') {
      yield* event.parts();
      event = new SseEvent();
    } else event.take(line);
  }
  yield* event.parts();
}

/** A carriage return alone ends a line, too. */
async function* fieldLines(lines: AsyncIterable<Line>): AsyncGenerator<Line> {
  for await (const { text, isTooLong } of unmarked(lines)) {
    for (const part of text.split('\r')) yield { text: part, isTooLong };
  }
}

async function* unmarked(lines: AsyncIterable<Line>): AsyncGenerator<Line> {
  let isFirst = true;
  for await (const { text, isTooLong } of lines) {
    yield { text: isFirst ? withoutMark(text) : text, isTooLong };
    isFirst = false;
  }
}

class SseEvent {
  private name = 'message';
  private readonly data: string[] = [];
  private dataLength = 0;
  private isTooLong = false;

  take({ text, isTooLong }: Line): void {
    const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(text) ?? [];
    if (field === 'event') this.name = value;
    if (field !== 'data') return;
    this.dataLength += value.length;
    this.isTooLong ||= isTooLong || this.dataLength > MAX_LINE_BYTES;
    if (!this.isTooLong) this.data.push(value);
  }

  /** None where it has no data: then it says nothing. */
  *parts(): Generator<AnswerPart> {
    if (this.isTooLong) yield tooLong();
    else if (this.data.length > 0) yield partOfEvent(this.name, this.data.join('\n'));
  }
}

function partOfEvent(name: string, data: string): AnswerPart {
  const value = objectIn(data);
  if (name === 'message' || name === '') {
    return typeof value?.['type'] === 'string' ? partOf(value, value['type']) : plainLine(data);
  }
  if (name === 'log' && typeof value?.['text'] !== 'string') return plainLine(data);
  return value ? partOf(value, name) : { type: 'problem', text: 'not a JSON object' };
}

function partOfJson(json: string): AnswerPart {
  const value = objectIn(json);
  if (!value) return { type: 'problem', text: 'not a JSON object' };
  const { type } = value;
  return typeof type === 'string' ? partOf(value, type) : { type: 'problem', text: 'it has no type' };
}

function partOf({ type: _type, ...said }: Record<string, unknown>, type: string): AnswerPart {
  if (isDeeperThan(MAX_DEPTH, said))
    return { type: 'problem', text: `nested deeper than ${MAX_DEPTH} levels` };
  switch (type) {
    case 'log':
      if (typeof said['text'] !== 'string') return { type: 'problem', text: 'text: must be a string' };
      return { type, stream: said['stream'] === 'stderr' ? 'stderr' : 'stdout', text: said['text'] };
    case 'usage':
    case 'note':
      return { type, line: JSON.stringify({ ...said, type }) };
    case 'result':
      return { type, json: JSON.stringify(said) };
    default:
      return { type: 'problem', text: `unknown type "${type.slice(0, MAX_SHOWN_NAME)}"` };
  }
}

function plainLine(text: string): AnswerPart {
  return { type: 'log', stream: 'stdout', text: `${text}\n` };
}

function tooLong(): AnswerPart {
  return { type: 'problem', text: `longer than ${MAX_LINE_BYTES} bytes` };
}

function objectIn(json: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(json);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
