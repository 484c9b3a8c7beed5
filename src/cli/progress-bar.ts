import { say } from './output';

const WIDTH = 24;
const SAY_EVERY_MS = 2_000;

/** Says on standard error how far something is: a bar that moves on a terminal, lines everywhere else. */
export class ProgressBar {
  private saidAtMs = Date.now();
  private isShown = false;

  constructor(
    private readonly what: string,
    private readonly output: NodeJS.WriteStream = process.stderr,
  ) {}

  /** @param share from 0 to 1 @param note stands behind the bar */
  show(share: number, note: string): void {
    const percent = `${Math.floor(Math.min(Math.max(share, 0), 1) * 100)} %`;
    if (this.output.isTTY) {
      const full = Math.round(WIDTH * Math.min(Math.max(share, 0), 1));
      const bar = '█'.repeat(full) + '░'.repeat(WIDTH - full);
      this.output.write(`\r\u001b[2K${this.what} ${bar} ${percent.padStart(5)}  ${note}`);
      this.isShown = true;
    } else if (Date.now() - this.saidAtMs >= SAY_EVERY_MS) {
      say(`${this.what}: ${percent}, ${note}`);
      this.saidAtMs = Date.now();
    }
  }

  /** Clears the line, so that something else can be said. */
  clear(): void {
    if (this.isShown) this.output.write('\r\u001b[2K');
    this.isShown = false;
  }
}

/** How far one position is on the way to another one. */
export function shareOf(position: string, head: string): number {
  const end = BigInt(head);
  return end === 0n ? 1 : Number((BigInt(position) * 1_000n) / end) / 1_000;
}
