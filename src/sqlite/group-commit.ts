/** How many requests go in one message: a commit of so many small events takes about ten milliseconds. */
const MAX_GROUP_SIZE = 1_000;
/** How much may be on its way to the writer; beyond that, requests wait here. */
const MAX_BYTES_UNDER_WAY = 8 * 1024 * 1024;

interface Waiting<Request, Outcome> {
  request: Request;
  bytes: number;
  resolve: (outcome: Outcome) => void;
  reject: (error: unknown) => void;
}

/** Has the requests that arrive in one turn of the event loop written together, in order. */
export class GroupCommit<Request, Outcome> {
  private waiting: Waiting<Request, Outcome>[] = [];
  private scheduled = false;
  private bytesUnderWay = 0;
  private readonly underWay = new Set<Promise<void>>();

  /**
   * @param commit  answers one outcome a request, in the order given; may be called again before it has answered
   * @param bytesOf about how large a request is
   */
  constructor(
    private readonly commit: (requests: readonly Request[]) => Promise<readonly Outcome[]>,
    private readonly bytesOf: (request: Request) => number,
  ) {}

  /** @throws what `commit` throws: its whole group fails with it */
  submit(request: Request): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ request, bytes: this.bytesOf(request), resolve, reject });
      this.schedule();
    });
  }

  /** Answers when all that was submitted is answered. */
  async drain(): Promise<void> {
    while (this.waiting.length > 0 || this.underWay.size > 0) {
      this.send();
      await Promise.race(this.underWay);
    }
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.send();
    });
  }

  private send(): void {
    while (this.waiting.length > 0 && this.bytesUnderWay < MAX_BYTES_UNDER_WAY) {
      const { group, bytes } = this.nextGroup();
      this.bytesUnderWay += bytes;
      const answered = this.answer(group).finally(() => {
        this.bytesUnderWay -= bytes;
        this.underWay.delete(answered);
        if (this.waiting.length > 0) this.schedule();
      });
      this.underWay.add(answered);
    }
  }

  private nextGroup(): { group: Waiting<Request, Outcome>[]; bytes: number } {
    const room = MAX_BYTES_UNDER_WAY - this.bytesUnderWay;
    let [count, bytes] = [0, 0];
    while (count < Math.min(this.waiting.length, MAX_GROUP_SIZE) && bytes < room) {
      bytes += this.waiting[count++]!.bytes;
    }
    return { group: this.waiting.splice(0, count), bytes };
  }

  /** Never rejects. */
  private async answer(group: readonly Waiting<Request, Outcome>[]): Promise<void> {
    try {
      const outcomes = await this.commit(group.map(({ request }) => request));
      group.forEach(({ resolve }, index) => resolve(outcomes[index]!));
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }
}
