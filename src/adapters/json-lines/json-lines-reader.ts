import { leftWithoutResult } from '../coding-agents/ending';
import type { OutputFact, OutputReader, ReportedResult } from '../output-reader';
import type { Dialect, LineMeaning, UsageMeaning } from './dialect';
import type { JsonObject } from './json-value';
import { amountAt, countAt, parseObject, textAt } from './json-value';

const MAX_ANSWER_LENGTH = 64 * 1024;
const EVERY_LINE = '*';

interface Used {
  inputTokens: number;
  outputTokens: number;
  cachedInputTokens: number;
}

const NOTHING: Used = { inputTokens: 0, outputTokens: 0, cachedInputTokens: 0 };

/** What is known of a program beside what it says. */
export interface KnownProgram {
  /** What people call it. */
  name: string;
  provider: string | null;
  model: string | null;
}

/** Understands any program that writes a JSON object a line, by a description of its lines. */
export class JsonLinesReader implements OutputReader {
  private sessionId: string | null = null;
  private model: string | null;
  private answer = '';
  private error: string | null = null;
  private hasEnded = false;
  private booked = NOTHING;

  constructor(
    private readonly dialect: Dialect,
    private readonly program: KnownProgram,
  ) {
    this.model = program.model;
  }

  line(text: string): readonly OutputFact[] {
    const line = parseObject(text);
    if (line === null) return [];
    const { lines } = this.dialect;
    const meanings = [EVERY_LINE, textAt(line, 'type') ?? ''].filter((name) => Object.hasOwn(lines, name));
    return meanings.flatMap((name) => this.understand(line, lines[name]!));
  }

  isSessionMissing(stderr: string): boolean {
    const isSaid = this.dialect.missingSession?.some((text) => stderr.includes(text)) ?? false;
    return isSaid && this.sessionId === null;
  }

  result(stderr: string): ReportedResult {
    const { sessionId, model, answer, booked } = this;
    const provider = this.provider;
    const errorMessage = this.failure(stderr);
    return {
      ...(provider !== null && { provider }),
      ...(model !== null && { model }),
      ...(sessionId !== null && { sessionId }),
      ...(booked !== NOTHING && { usage: booked }),
      ...(errorMessage !== null && { errorMessage }),
      ...(answer !== '' && { resultJson: { result: answer } }),
    };
  }

  private get provider(): string | null {
    return this.program.provider ?? this.dialect.provider ?? null;
  }

  private failure(stderr: string): string | null {
    if (this.error !== null) return this.error;
    const hasEnd = Object.values(this.dialect.lines).some(({ isEnd }) => isEnd);
    return hasEnd && !this.hasEnded ? leftWithoutResult(this.program.name, stderr) : null;
  }

  private understand(line: JsonObject, meaning: LineMeaning): OutputFact[] {
    const { session, model, usage, answer, error, isEnd } = meaning;
    this.model = (model && textIn(line, model)) ?? this.model;
    this.error = (error && textIn(line, error)) ?? this.error;
    this.hasEnded ||= isEnd ?? false;
    if (meaning.clearsAnswer) this.answer = '';
    if (answer) this.hear(line, answer);
    const sessionId = session && textIn(line, session);
    if (sessionId) this.sessionId = sessionId;
    return [
      ...(sessionId ? [{ type: 'session' as const, sessionId }] : []),
      ...(usage ? this.book(line, usage) : []),
    ];
  }

  private hear(line: JsonObject, { text, isPart, where = {} }: NonNullable<LineMeaning['answer']>): void {
    const said = textIn(line, text);
    const counts = Object.entries(where).every(([at, wanted]) => textIn(line, at) === wanted);
    if (said === null || !counts) return;
    this.answer = (isPart ? this.answer + said : said).slice(-MAX_ANSWER_LENGTH);
  }

  private book(line: JsonObject, meaning: UsageMeaning): OutputFact[] {
    const said = usedIn(line, meaning);
    const used = meaning.of === 'step' ? said : minus(said, this.booked);
    if (isNothing(used)) return [];
    this.booked = plus(this.booked, used);
    const costUsd = meaning.of === 'step' && meaning.cost ? amountAt(line, ...meaning.cost.split('.')) : null;
    const { model, provider } = this;
    return [
      {
        ...{ type: 'usage', ...used },
        ...(costUsd ? { costUsd } : {}),
        ...(provider !== null && { provider }),
        ...(model !== null && { model }),
      },
    ];
  }
}

function textIn(line: JsonObject, path: string): string | null {
  return textAt(line, ...path.split('.'));
}

function usedIn(
  line: JsonObject,
  { input, output, cachedInput = [], inputIncludesCached }: UsageMeaning,
): Used {
  const sum = (paths: readonly string[]) =>
    paths.reduce((total, path) => total + (countAt(line, ...path.split('.')) ?? 0), 0);
  const cachedInputTokens = sum(cachedInput);
  const read = sum(input) - (inputIncludesCached ? cachedInputTokens : 0);
  return { inputTokens: Math.max(0, read), outputTokens: sum(output), cachedInputTokens };
}

function plus(a: Used, b: Used): Used {
  return {
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    cachedInputTokens: a.cachedInputTokens + b.cachedInputTokens,
  };
}

/** Never less than nothing. */
function minus(a: Used, b: Used): Used {
  return {
    inputTokens: Math.max(0, a.inputTokens - b.inputTokens),
    outputTokens: Math.max(0, a.outputTokens - b.outputTokens),
    cachedInputTokens: Math.max(0, a.cachedInputTokens - b.cachedInputTokens),
  };
}

function isNothing({ inputTokens, outputTokens, cachedInputTokens }: Used): boolean {
  return inputTokens + outputTokens + cachedInputTokens === 0;
}
