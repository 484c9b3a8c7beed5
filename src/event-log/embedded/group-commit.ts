import type { AppendOutcome, AppendRequest } from './store-messages';

/** So that a single commit of small events, during which nothing else runs, stays near ten milliseconds. */
const MAX_GROUP_SIZE = 1_000;

interface Waiting {
  request: AppendRequest;
  resolve: (outcome: AppendOutcome) => void;
}

/** Collects the appends that arrive in the same turn of the event loop, and has them committed together. */
export class GroupCommit {
  private waiting: Waiting[] = [];
  private scheduled: NodeJS.Immediate | undefined;

  /** @param commit answers one outcome a request, in the order given */
  constructor(private readonly commit: (requests: readonly AppendRequest[]) => readonly AppendOutcome[]) {}

  submit(request: AppendRequest): Promise<AppendOutcome> {
    return new Promise((resolve) => {
      this.waiting.push({ request, resolve });
      this.schedule();
    });
  }

  /** Commits all that waits, now. */
  drain(): void {
    while (this.waiting.length > 0) this.commitGroup();
    clearImmediate(this.scheduled);
    this.scheduled = undefined;
  }

  private schedule(): void {
    this.scheduled ??= setImmediate(() => {
      this.scheduled = undefined;
      this.commitGroup();
      if (this.waiting.length > 0) this.schedule();
    });
  }

  private commitGroup(): void {
    const group = this.waiting.splice(0, MAX_GROUP_SIZE);
    const outcomes = this.outcomesOf(group.map(({ request }) => request));
    group.forEach(({ resolve }, index) => resolve(outcomes[index]!));
  }

  private outcomesOf(requests: readonly AppendRequest[]): readonly AppendOutcome[] {
    try {
      return this.commit(requests);
    } catch (cause) {
      return requests.map(() => ({ kind: 'failed', cause }));
    }
  }
}
