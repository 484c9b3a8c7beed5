import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { chmod, readFile } from 'node:fs/promises';
import { writeDurably } from './durable-file';

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Encrypts texts for files (AES-256-GCM). A text opens only in the context for which it was sealed. */
export class SecretBox {
  private constructor(private readonly key: Buffer) {}

  /** With the key in the file, which is made where it is missing. @throws where the file holds no key */
  static async open(keyFile: string): Promise<SecretBox> {
    const kept = await readKey(keyFile);
    const key = kept ?? randomBytes(KEY_BYTES);
    if (kept === null) await writeDurably(keyFile, `${key.toString('hex')}\n`);
    if (key.length !== KEY_BYTES) throw new Error(`${keyFile} does not hold a key of ${KEY_BYTES} bytes`);
    return new SecretBox(key);
  }

  /** @param context what the text belongs to; the same must be said to open it */
  seal(text: string, context: string): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.key, nonce).setAAD(Buffer.from(context));
    const encrypted = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), encrypted]).toString('base64');
  }

  /** @throws where it was sealed with another key or for another context, or was changed */
  unseal(sealed: string, context: string): string {
    const bytes = Buffer.from(sealed, 'base64');
    const nonce = bytes.subarray(0, NONCE_BYTES);
    const tag = bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES);
    const decipher = createDecipheriv('aes-256-gcm', this.key, nonce, { authTagLength: TAG_BYTES })
      .setAAD(Buffer.from(context))
      .setAuthTag(tag);
    const text = [decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()];
    return Buffer.concat(text).toString('utf8');
  }
}

async function readKey(keyFile: string): Promise<Buffer | null> {
  try {
    await chmod(keyFile, 0o600);
    return Buffer.from((await readFile(keyFile, 'utf8')).trim(), 'hex');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
