import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDurably } from './durable-file';
import { SecretBox } from './secret-box';

/** All that anybody is told of a secret. */
export interface SecretEntry {
  name: string;
  /** ISO 8601. */
  updatedAt: string;
}

/** A company's file: values are sealed each for itself, names are not. */
type SecretsFile = Record<string, { updatedAt: string; sealed: string }>;

/**
 * The secrets of companies: a file each in the data folder, beside the event log, from which nothing can be taken away
 * again. Only a run's environment gets a value. The key is in `secrets.key`: a copy of the folder without it is worth
 * nothing.
 */
export class SecretStore {
  /** By company: its last change. One after the other, so that none overwrites another. */
  private readonly changes = new Map<string, Promise<unknown>>();

  private constructor(
    private readonly folder: string,
    private readonly box: SecretBox,
  ) {}

  /** Makes folder and key where they are missing. */
  static async open(dataFolder: string): Promise<SecretStore> {
    const folder = join(dataFolder, 'secrets');
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return new SecretStore(folder, await SecretBox.open(join(dataFolder, 'secrets.key')));
  }

  /** Sets or replaces a secret; on disk when it answers. */
  async put(companyId: string, name: string, value: string, updatedAt: string): Promise<SecretEntry> {
    const earlier = this.changes.get(companyId) ?? Promise.resolve();
    const change = earlier.then(async () => {
      const secrets = await this.read(companyId);
      secrets.set(name, { updatedAt, sealed: this.box.seal(value, contextOf(companyId, name)) });
      await writeDurably(this.fileOf(companyId), JSON.stringify(Object.fromEntries(secrets)));
    });
    this.changes.set(
      companyId,
      change.catch(() => undefined),
    );
    await change;
    return { name, updatedAt };
  }

  /** By name. */
  async list(companyId: string): Promise<SecretEntry[]> {
    const secrets = await this.read(companyId);
    return [...secrets]
      .map(([name, { updatedAt }]) => ({ name, updatedAt }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The value as it is now; null where there is no such secret. @throws where the key does not fit */
  async value(companyId: string, name: string): Promise<string | null> {
    const secret = (await this.read(companyId)).get(name);
    return secret ? this.box.unseal(secret.sealed, contextOf(companyId, name)) : null;
  }

  /** Encrypts what a run has to remember of its secrets; `unseal` with the same context gives it back. */
  seal(text: string, context: string): string {
    return this.box.seal(text, context);
  }

  /** @throws where it was not sealed here, for this context */
  unseal(sealed: string, context: string): string {
    return this.box.unseal(sealed, context);
  }

  private async read(companyId: string): Promise<Map<string, SecretsFile[string]>> {
    try {
      const file = JSON.parse(await readFile(this.fileOf(companyId), 'utf8')) as SecretsFile;
      return new Map(Object.entries(file));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map();
      throw error;
    }
  }

  private fileOf(companyId: string): string {
    return join(this.folder, `${companyId}.json`);
  }
}

function contextOf(companyId: string, name: string): string {
  return `secret/${companyId}/${name}`;
}
