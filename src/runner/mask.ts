import { Needle, StreamMasker } from './stream-masker';

/** Shorter values are left alone: masking every `1` or `on` would hide nothing but the output. */
export const MIN_MASKED_BYTES = 4;

/** Of an `Authorization` header, as in `Bearer …`. */
const AUTHORIZATION_SCHEME = /^(Basic|Bearer|Token|ApiKey) +/i;

/** Hides values wherever they occur: each of their bytes becomes a `*`, so that nothing moves. */
export class Mask {
  static readonly none = new Mask([]);

  private constructor(private readonly needles: readonly Needle[]) {}

  /**
   * A value is also looked for without the white space around it: `$(…)` and the like take it away; and without the
   * scheme before a credential: programs do.
   */
  static of(values: Iterable<string>): Mask {
    const texts = new Set(
      [...values].flatMap((value) => [value, value.trim(), value.trim().replace(AUTHORIZATION_SCHEME, '')]),
    );
    const needles = [...texts]
      .map((text) => Buffer.from(text))
      .filter((bytes) => bytes.length >= MIN_MASKED_BYTES);
    return needles.length === 0 ? Mask.none : new Mask(needles.map((bytes) => new Needle(bytes)));
  }

  /** So many bytes before a place decide, with what follows, whether it is masked. */
  get contextBytes(): number {
    return Math.max(1, ...this.needles.map(({ bytes }) => bytes.length)) - 1;
  }

  /** For bytes that come in pieces. */
  stream(): StreamMasker {
    return new StreamMasker(this.needles);
  }

  bytes(whole: Buffer): Buffer {
    const masker = this.stream();
    return Buffer.concat([masker.push(whole), masker.flush()]);
  }

  text(text: string): string {
    if (this.needles.length === 0) return text;
    const bytes = Buffer.from(text);
    const masked = this.bytes(bytes);
    return masked.equals(bytes) ? text : masked.toString();
  }

  /** The texts in a JSON value of our own making, whose names and numbers mean something to us. */
  texts<T>(value: T): T {
    return this.walk(value, false) as T;
  }

  /** Everything in a JSON value of somebody else's making. A number that shows a value becomes a text. */
  json(value: unknown): unknown {
    return this.walk(value, true);
  }

  /** Goes as deep as the value does: whoever takes values from outside limits that first. */
  private walk(value: unknown, takesAll: boolean): unknown {
    if (this.needles.length === 0) return value;
    if (typeof value === 'string') return this.text(value);
    if (typeof value === 'number' && takesAll) {
      const shown = this.text(String(value));
      return shown === String(value) ? value : shown;
    }
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map((item) => this.walk(item, takesAll));
    const entries = Object.entries(value).map(([key, item]) => [
      takesAll ? this.text(key) : key,
      this.walk(item, takesAll),
    ]);
    return Object.fromEntries(entries) as unknown;
  }
}
