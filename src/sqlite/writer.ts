/** The only writer of some database files: synchronous, and unaware of the thread it is in. */
export interface Writer<Request, Outcome, State> {
  /** What others are to know of the files: told when they were opened, and with every answer. */
  readonly state: State;
  /**
   * Writes a group, which is on disk when this returns, and answers one outcome a request. What fails is an outcome as
   * well: a throw ends the thread.
   */
  write(requests: readonly Request[]): Outcome[];
  close(): void;
}

/** The same as others see it, wherever it may be. */
export interface WriterAccess<Request, Outcome> {
  /** Whether it takes anything. */
  readonly isUp: boolean;
  /** Groups are written in the order of the calls, and those that wait together are written together. @throws WriterDown */
  write(requests: readonly Request[]): Promise<readonly Outcome[]>;
  /** Comes after everything that it was given before. */
  close(): Promise<void>;
}

/** The writer does not answer (any more); what was on its way may have been written. */
export class WriterDown extends Error {
  constructor(options?: ErrorOptions) {
    super('the thread that writes has ended', options);
    this.name = 'WriterDown';
  }
}

/** What a thread is started with. */
export interface ThreadData {
  folder: string;
}

export type ToThread<Request> = { kind: 'write'; requests: readonly Request[] } | { kind: 'close' };

export type FromThread<Outcome, State> =
  | { kind: 'opened'; state: State }
  /** It could not be opened, and the thread ends. */
  | { kind: 'refused'; error: unknown }
  /** For each of the messages that were written together, its outcomes. */
  | { kind: 'written'; groups: readonly (readonly Outcome[])[]; state: State };
