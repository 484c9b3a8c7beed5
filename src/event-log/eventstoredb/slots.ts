import { LogUnavailable } from '../event-log';

/** Gives the slot back; to be called once. @param hasAnswered whether its holder got what it wanted */
export type GiveBack = (hasAnswered: boolean) => void;

/** So many at once; the others wait for their turn, in order, for as long as those before them get their answers. */
export class Slots {
  private readonly waiting = new Set<() => void>();
  private answeredAtMs = -Infinity;

  constructor(private free: number) {}

  /** @throws LogUnavailable where it is nobody's turn because nobody has got an answer for `ms` */
  take(ms: number): Promise<GiveBack> {
    const giveBack: GiveBack = (hasAnswered) => this.giveBack(hasAnswered);
    if (this.free > 0) {
      this.free -= 1;
      return Promise.resolve(giveBack);
    }
    return new Promise((resolve, reject) => {
      const goOn = () => {
        clearTimeout(timer);
        resolve(giveBack);
      };
      const look = () => {
        const leftMs = this.answeredAtMs + ms - performance.now();
        if (leftMs > 0) {
          timer = setTimeout(look, leftMs);
          return;
        }
        this.waiting.delete(goOn);
        reject(new LogUnavailable(`EventStoreDB has answered nobody for ${ms} ms`));
      };
      let timer = setTimeout(look, ms);
      this.waiting.add(goOn);
    });
  }

  private giveBack(hasAnswered: boolean): void {
    if (hasAnswered) this.answeredAtMs = performance.now();
    const [next] = this.waiting;
    if (!next) {
      this.free += 1;
      return;
    }
    this.waiting.delete(next);
    next();
  }
}
