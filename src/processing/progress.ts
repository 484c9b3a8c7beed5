import { DomainError } from '../kernel/errors';
import type { Position } from '../kernel/event';
import { explanation } from './consumer-fault';

interface Waiter {
  position: Position;
  resolve: () => void;
  reject: (error: unknown) => void;
  timer: NodeJS.Timeout;
  /** It does not hurry the consumer. */
  isPatient: boolean;
}

/** How far a consumer of the log has come, and who waits for it to come further. */
export class Progress {
  private current: Position;
  private waiters: Waiter[] = [];
  private failure: Error | null = null;
  private readonly hurries = new Set<() => void>();
  /** What the consumer is trying again because of; null while it works. */
  ailment: Error | null = null;

  constructor(
    readonly name: string,
    start: Position,
  ) {
    this.current = start;
  }

  get reached(): Position {
    return this.current;
  }

  /** What stopped the consumer; null while it goes on. */
  get stoppedBy(): Error | null {
    return this.failure;
  }

  /** False where it has stopped, or tries the same thing again and again. */
  get isWorking(): boolean {
    return this.failure === null && this.ailment === null;
  }

  advance(position: Position): void {
    if (position <= this.current) return;
    this.current = position;
    if (this.waiters.length === 0) return;
    const still: Waiter[] = [];
    for (const waiter of this.waiters) {
      if (waiter.position > position) still.push(waiter);
      else this.release(waiter, waiter.resolve);
    }
    this.waiters = still;
  }

  stop(failure: unknown): void {
    this.failure = failure instanceof Error ? failure : new Error('stopped', { cause: failure });
    const error = this.notCaughtUp();
    for (const waiter of this.waiters.splice(0)) this.release(waiter, () => waiter.reject(error));
    for (const hurry of this.hurries) hurry();
  }

  /** It is tried again: whoever waits from now on waits for what comes of that. */
  resume(): void {
    this.failure = null;
  }

  /** @throws DomainError `not_caught_up` after `timeoutMs`, or at once where the consumer has stopped */
  waitFor(position: Position, timeoutMs: number, isPatient = false): Promise<void> {
    if (position <= this.current) return Promise.resolve();
    if (this.failure) return Promise.reject(this.notCaughtUp());
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiters = this.waiters.filter((other) => other !== waiter);
        reject(this.notCaughtUp());
      }, timeoutMs);
      const waiter: Waiter = { position, resolve, reject, timer, isPatient };
      this.waiters.push(waiter);
      if (!isPatient) for (const hurry of this.hurries) hurry();
    });
  }

  /** Comes back when somebody waits for the consumer to come further, or it is stopped, at the latest after `ms`. */
  untilAwaited(ms: number): Promise<void> {
    if (this.failure || this.waiters.some((waiter) => !waiter.isPatient)) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.hurries.delete(done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.hurries.add(done);
    });
  }

  private release(waiter: Waiter, settle: () => void): void {
    clearTimeout(waiter.timer);
    settle();
  }

  private notCaughtUp(): DomainError {
    const reached = `${this.name} has reached position ${this.current}`;
    const detail = this.failure ? `${reached}: ${explanation(this.failure)}` : reached;
    return new DomainError('not_caught_up', detail, {
      projection: this.name,
      reached: this.current.toString(),
    });
  }
}
