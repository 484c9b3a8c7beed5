import type { ConfiguredValue } from '../adapters/adapter';
import { Mask } from './mask';
import type { ClaimedRun } from './run-authority';
import { messageOf, RunFailure } from './run-failure';
import type { RunFolder } from './run-folder';

/** The secrets of companies, and a way to keep what a run knows of them where others could read it. */
export interface SecretSource {
  /** The value as it is now; null where the company has no such secret. */
  value(companyId: string, name: string): Promise<string | null>;
  /** Encrypts a text. `context` says what it belongs to. */
  seal(text: string, context: string): string;
  /** @throws where the text was not sealed here, for this context */
  unseal(sealed: string, context: string): string;
}

/**
 * The secret values that one run was started with. They are what has to be masked until its end, whatever becomes of
 * the secrets meanwhile, and also by a server that takes the run up again: so they are kept, encrypted, in its folder.
 * The run's own token is masked with them, and need not be kept.
 */
export class RunSecrets {
  private current: Mask;
  private sealedValues: string | null = null;
  private isLost = false;
  private isKnown = false;

  constructor(
    private readonly run: Pick<ClaimedRun, 'companyId' | 'runId'>,
    private readonly folder: RunFolder,
    private readonly source: SecretSource,
    private readonly token: string,
  ) {
    this.current = this.maskOf([]);
  }

  /** Hides the values, and the token. */
  get mask(): Mask {
    return this.current;
  }

  /** What the run's folder is to keep, encrypted; null where the run has no secrets. */
  get sealed(): string | null {
    return this.sealedValues;
  }

  /** It is known what to hide: what comes from the agent can be shown. */
  get areKnown(): boolean {
    return this.isKnown;
  }

  /** It is not known what to hide: nothing that the agent wrote may be shown. */
  get areLost(): boolean {
    return this.isLost;
  }

  /**
   * Puts the values of secrets in the place of their names, and masks them from then on.
   *
   * @throws RunFailure `adapter_failed`, which names the secret that is missing or cannot be read
   */
  async resolve(env: Readonly<Record<string, ConfiguredValue>>): Promise<Record<string, string>> {
    const values = new Set<string>();
    const resolved: Record<string, string> = {};
    for (const [variable, value] of Object.entries(env)) {
      resolved[variable] = typeof value === 'string' ? value : await this.valueOf(value.secret);
      if (typeof value !== 'string') values.add(resolved[variable]);
    }
    this.current = this.maskOf(values);
    this.sealedValues =
      values.size === 0 ? null : this.source.seal(JSON.stringify([...values]), this.context);
    this.isKnown = true;
    return resolved;
  }

  /**
   * Knows again what an earlier server has put into the environment.
   *
   * @param names of the secrets that the run was started with
   * @throws RunFailure `spool_failed` where that is lost
   */
  async restore(names: readonly string[]): Promise<void> {
    if (names.length > 0) await this.unsealValues();
    this.isKnown = true;
  }

  private async unsealValues(): Promise<void> {
    try {
      const sealed = this.folder.secrets();
      if (sealed === null) throw new Error('the file is gone');
      this.current = this.maskOf(JSON.parse(this.source.unseal(sealed, this.context)) as string[]);
    } catch (cause) {
      this.isLost = true;
      const message = `It is not known any more what to mask in the output: ${messageOf(cause)}`;
      throw new RunFailure('spool_failed', message, { cause });
    }
  }

  private maskOf(values: Iterable<string>): Mask {
    return Mask.of([...values, secretPart(this.token)]);
  }

  private async valueOf(name: string): Promise<string> {
    let value: string | null;
    try {
      value = await this.source.value(this.run.companyId, name);
    } catch (cause) {
      throw new RunFailure('adapter_failed', `The secret "${name}" cannot be read`, { cause });
    }
    if (value === null) throw new RunFailure('adapter_failed', `The company has no secret "${name}"`);
    return value;
  }

  private get context(): string {
    return `run/${this.run.companyId}/${this.run.runId}`;
  }
}

/**
 * The token from a rare letter of its header on, which is the same for all and says nothing. What may be the beginning
 * of a secret is held back until more comes: with the whole token, all output that ends in its first letter would be, an
 * `e` as in `done`.
 */
function secretPart(token: string): string {
  const header = token.slice(0, token.indexOf('.'));
  return token.slice(Math.max(0, header.lastIndexOf('X')));
}
