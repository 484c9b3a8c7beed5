/**
 * Understands what an agent's program writes to its standard output, line by line, from the first one on.
 *
 * What it answers may depend on nothing but the lines, in their order: after a restart of the server they are read
 * again from the beginning, and whatever was booked of them by then is passed over. It never throws for a line that it
 * does not know.
 */
export interface OutputReader {
  /** What the next line says, as far as that is to be recorded at once. */
  line(text: string): readonly OutputFact[];
  /** Another file in which the program says more. */
  readonly journal?: AgentJournal;
  /**
   * Whether the program left because the session that it was to go on with is not there any more. It is then started
   * once more, without a session.
   *
   * @param stderr its end
   */
  isSessionMissing?(stderr: string): boolean;
  /**
   * What the lines come to when no more will follow: fields of a result file. What the agent has written into that
   * itself goes before it.
   *
   * @param stderr its end
   */
  result(stderr: string): ReportedResult;
}

export type OutputFact = UsageFact | SessionFact | NoteFact;

/** Tokens of one model call, or of a part of it. Booked at once; what the result says at the end settles it. */
export interface UsageFact {
  type: 'usage';
  /** Without those that were read from a cache. */
  inputTokens: number;
  outputTokens: number;
  cachedInputTokens: number;
  /** What a provider charges on top, in input tokens: a cache that is written costs more than what is read. */
  surchargeTokens?: number;
  /** US dollars; without it the tokens are priced by the price tables. */
  costUsd?: number;
  provider?: string;
  model?: string;
  /** The model whose price is taken where no table has one for `model`. */
  pricedLike?: string;
}

/** The session that the agent works in, as soon as it is known: whatever becomes of the run, the next one goes on with it. */
export interface SessionFact {
  type: 'session';
  sessionId: string;
}

/** Something that people should see among the events of the run. */
export interface NoteFact {
  type: 'note';
  level: 'debug' | 'info' | 'warn' | 'error';
  message: string;
}

/** As in a result file; what is malformed is left out and said. */
export interface ReportedResult {
  usage?: { inputTokens: number; outputTokens: number; cachedInputTokens: number };
  costUsd?: number;
  provider?: string;
  model?: string;
  sessionId?: string;
  clearSession?: boolean;
  errorMessage?: string;
  resultJson?: unknown;
  /** ISO 8601. */
  retryNotBefore?: string;
}

/** A file that a program keeps beside its output. Its lines are read like those of stdout, from the first one on. */
export interface AgentJournal {
  /** Where it is; null: not known yet, or not there yet. Asked again until there is an answer. */
  find(environment: Readonly<Record<string, string>>): Promise<string | null>;
  line(text: string): readonly OutputFact[];
}

/** What a reader may know of its run beside the lines. */
export interface ReadingContext {
  /** Shortly before the program was started, by this machine's clock: what a journal says of earlier is not of this run. */
  startedAt: Date;
}
