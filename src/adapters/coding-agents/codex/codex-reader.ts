import type { InvocationContext } from '../../adapter';
import { parseObject, objectAt, textAt } from '../../json-lines/json-value';
import type {
  AgentJournal,
  OutputFact,
  OutputReader,
  ReadingContext,
  ReportedResult,
} from '../../output-reader';
import { leftWithoutResult } from '../ending';
import type { ThreadUsage } from './codex-rollout';
import { CodexRollout, PROVIDER, subtracted, threadUsageOf } from './codex-rollout';

const NO_SESSION = 'no rollout found for thread id';

/**
 * `codex exec --json`, as of 0.169.
 *
 * On its output the program says what it has used only when it is done, and then over the whole thread, resumed ones
 * included; told to end, it says nothing. What each call used, and what the thread had used before, is in the rollout,
 * the file in which it keeps the thread.
 */
export class CodexReader implements OutputReader {
  readonly journal: AgentJournal;
  private readonly rollout: CodexRollout;
  private threadId: string | null = null;
  private lastMessage: string | null = null;
  private total: ThreadUsage | null = null;
  private failure: string | null = null;
  private isOver = false;

  constructor(
    private readonly configuredModel: string | null,
    variables: Readonly<Record<string, string>>,
    private readonly run: Pick<InvocationContext, 'sessionId'>,
    { startedAt }: ReadingContext,
  ) {
    this.rollout = new CodexRollout(startedAt, configuredModel);
    this.journal = {
      find: async (environment) =>
        this.threadId === null ? null : CodexRollout.find(this.threadId, { ...environment, ...variables }),
      line: (text) => this.rollout.line(text),
    };
  }

  line(text: string): readonly OutputFact[] {
    const line = parseObject(text);
    if (line === null) return [];
    switch (line['type']) {
      case 'thread.started':
        return this.begun(textAt(line, 'thread_id'));
      case 'item.completed':
        return this.item(objectAt(line, 'item'));
      case 'error':
        return warning(textAt(line, 'message'));
      case 'turn.failed':
        this.isOver = true;
        this.failure = textAt(line, 'error', 'message') ?? 'the turn failed';
        return [];
      case 'turn.completed':
        this.isOver = true;
        this.failure = null;
        this.total = threadUsageOf(objectAt(line, 'usage'));
        return [];
      default:
        return [];
    }
  }

  isSessionMissing(stderr: string): boolean {
    return this.threadId === null && stderr.includes(NO_SESSION);
  }

  result(stderr: string): ReportedResult {
    const { threadId, failure, isOver, lastMessage } = this;
    const model = this.rollout.model ?? this.configuredModel;
    const usage = this.usage();
    const errorMessage = isOver ? failure : leftWithoutResult('codex', stderr);
    const until = errorMessage === null ? null : this.rollout.limitedUntil;
    return {
      provider: PROVIDER,
      ...(model !== null && { model }),
      ...(threadId !== null && { sessionId: threadId }),
      ...(usage !== null && { usage }),
      ...(errorMessage !== null && { errorMessage }),
      ...(until !== null && { retryNotBefore: until }),
      ...(lastMessage !== null && { resultJson: { result: lastMessage } }),
    };
  }

  /** An id that isn't one of a thread begins another thread without a word. */
  private begun(threadId: string | null): OutputFact[] {
    if (threadId === null) return [];
    const { sessionId } = this.run;
    const isOther = this.threadId === null && sessionId !== null && sessionId !== threadId;
    this.threadId = threadId;
    const session: OutputFact = { type: 'session', sessionId: threadId };
    if (!isOther) return [session];
    const message = `session ${sessionId} is not there any more: went on with a fresh one`;
    return [{ type: 'note', level: 'warn', message }, session];
  }

  private item(item: Readonly<Record<string, unknown>>): OutputFact[] {
    if (item['type'] === 'agent_message') this.lastMessage = textAt(item, 'text') ?? this.lastMessage;
    return item['type'] === 'error' ? warning(textAt(item, 'message')) : [];
  }

  /** Of this run; null where it isn't known what the thread had used before. */
  private usage(): ReportedResult['usage'] | null {
    if (this.total === null) return null;
    const before = this.threadId === this.run.sessionId ? this.rollout.before : threadUsageOf({});
    return before && subtracted(this.total, before);
  }
}

function warning(message: string | null): OutputFact[] {
  return message === null ? [] : [{ type: 'note', level: 'warn', message }];
}
