/** Holds something up until it is opened. */
export class Gate {
  private resolve: () => void = () => undefined;
  private readonly opened = new Promise<void>((resolve) => (this.resolve = resolve));
  private arrived: () => void = () => undefined;
  /** Resolves when somebody stands before the gate. */
  readonly reached = new Promise<void>((resolve) => (this.arrived = resolve));

  pass(): Promise<void> {
    this.arrived();
    return this.opened;
  }

  open(): void {
    this.resolve();
  }
}
