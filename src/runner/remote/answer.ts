import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../kernel/clock';
import type { Mask } from '../mask';
import { MAX_RESULT_BYTES, REPORT_FIELDS, withoutMark } from '../run-report';
import type { AnswerFiles } from './answer-files';
import type { AnswerPart } from './answer-part';
import { ndjsonParts, sseParts } from './answer-part';
import type { HttpRules } from './http-request';
import { failed } from './http-request';

/** Of the body of an answer that says no. */
const MAX_SHOWN_BYTES = 2 * 1024;
const LONGEST_RETRY_AFTER_SEC = 366 * 24 * 3600;

export interface AnswerIntake {
  files: AnswerFiles;
  rules: Pick<HttpRules, 'maxAnswerBytes'>;
  mask: Mask;
  clock: Clock;
  /** Bytes have come. */
  onBytes: () => void;
  /** A message was left out. */
  onProblem: (text: string) => Promise<void>;
}

/**
 * Takes in an answer until it is complete.
 * @throws RunFailure `adapter_failed` where it says no, cannot be understood, is too long or breaks off
 */
export async function takeIn(answer: IncomingMessage, intake: AnswerIntake): Promise<void> {
  try {
    if (isRefusal(answer)) throw await refusal(answer, intake);
    const encoding = answer.headers['content-encoding'] ?? 'identity';
    if (encoding !== 'identity')
      throw failed(`The answer is encoded as ${encoding}, which was not asked for`);
    await takeBody(answer, intake);
  } finally {
    answer.destroy();
  }
}

function takeBody(answer: IncomingMessage, intake: AnswerIntake): Promise<void> {
  const body = piecesOf(answer, intake);
  const type = mediaTypeOf(answer);
  if (/^application\/([\w.-]+\+)?json$/.test(type)) return takeResult(body, intake.files);
  if (type === 'text/event-stream') return takeParts(sseParts(body), intake);
  if (/^application\/(x-ndjson|ndjson|jsonl|x-jsonlines)$/.test(type))
    return takeParts(ndjsonParts(body), intake);
  return takeText(body, type, intake.files);
}

async function takeText(body: AsyncIterable<Buffer>, type: string, files: AnswerFiles): Promise<void> {
  for await (const piece of body) {
    if (type !== '' && !type.startsWith('text/')) {
      throw failed(`The answer is of type ${type}: JSON, NDJSON, an event stream or text is understood`);
    }
    await files.log('stdout', piece);
  }
}

async function takeParts(parts: AsyncIterable<AnswerPart>, intake: AnswerIntake): Promise<void> {
  const { files, onProblem } = intake;
  for await (const part of parts) {
    if (part.type === 'log') await files.log(part.stream, part.text);
    else if (part.type === 'problem') await onProblem(part.text);
    else if (part.type === 'result') return files.result(part.json);
    else await files.event(part.line);
  }
}

/** One byte too many is enough for the reader of results to refuse it. */
async function takeResult(body: AsyncIterable<Buffer>, files: AnswerFiles): Promise<void> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of body) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > MAX_RESULT_BYTES) break;
  }
  await files.result(asResult(Buffer.concat(pieces)));
}

/** A service that knows nothing of results answers with JSON of its own: that is the result, then. */
function asResult(body: Buffer): Buffer | string {
  if (body.length > MAX_RESULT_BYTES) return body;
  const json = withoutMark(body.toString());
  try {
    const value: unknown = JSON.parse(json);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    const isForeign = isObject && !Object.keys(value).some((name) => REPORT_FIELDS.has(name));
    // Not made anew from the value, which may be deeper than the stack: the reader of results says so, then.
    return isForeign ? `{"resultJson":${json}}` : body;
  } catch {
    return body;
  }
}

function isRefusal({ statusCode = 0 }: IncomingMessage): boolean {
  return statusCode < 200 || statusCode > 299;
}

async function refusal(
  answer: IncomingMessage,
  { files, mask, clock, onBytes }: AnswerIntake,
): Promise<Error> {
  const { statusCode, statusMessage } = answer;
  if (statusCode === 429 || statusCode === 503) {
    const retryNotBefore = retryTime(answer.headers['retry-after'], clock.now());
    if (retryNotBefore !== null) await files.result(JSON.stringify({ retryNotBefore }));
  }
  const enough = MAX_SHOWN_BYTES + mask.contextBytes;
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of answer as AsyncIterable<Buffer>) {
    onBytes();
    pieces.push(piece);
    bytes += piece.length;
    if (bytes >= enough) break;
  }
  // Masked before it is cut: half a secret would not be found.
  const shown = mask.bytes(Buffer.concat(pieces)).subarray(0, MAX_SHOWN_BYTES).toString().trim();
  return failed(`HTTP ${statusCode} ${statusMessage ?? ''}`.trim() + (shown === '' ? '' : `: ${shown}`));
}

/** `Retry-After` as a time, ISO 8601; null where it says none. https://www.rfc-editor.org/rfc/rfc9110#field.retry-after */
function retryTime(header: string | undefined, now: Date): string | null {
  if (header === undefined) return null;
  const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - now.getTime()) / 1000;
  if (!(seconds >= 0 && seconds <= LONGEST_RETRY_AFTER_SEC)) return null;
  return new Date(now.getTime() + seconds * 1000).toISOString();
}

async function* piecesOf(
  answer: IncomingMessage,
  { rules: { maxAnswerBytes }, onBytes }: AnswerIntake,
): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const piece of answer as AsyncIterable<Buffer>) {
    onBytes();
    bytes += piece.length;
    if (bytes > maxAnswerBytes) throw failed(`The answer is longer than ${maxAnswerBytes} bytes`);
    yield piece;
  }
}

/** In lower case, without parameters; empty where nothing is said. */
function mediaTypeOf({ headers }: IncomingMessage): string {
  return (headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
}
