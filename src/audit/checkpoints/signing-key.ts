import type { KeyObject } from 'node:crypto';
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDurably } from '../../secrets/durable-file';
import { keyIdOf } from '../verification/signature';

const KEY_FILE = 'audit.key';

/** The key pair that signs checkpoints: made at the first start, and kept for the owner's eyes only. */
export class SigningKey {
  readonly publicKey: string;
  readonly keyId: string;

  private constructor(private readonly privateKey: KeyObject) {
    const publicKey = createPublicKey(privateKey);
    this.publicKey = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    this.keyId = keyIdOf(this.publicKey);
  }

  /** @throws Error where the file holds no key */
  static async open(folder: string): Promise<SigningKey> {
    const file = join(folder, KEY_FILE);
    if (!existsSync(file)) {
      const { privateKey } = generateKeyPairSync('ed25519');
      await writeDurably(file, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
    }
    await chmod(file, 0o600);
    try {
      return new SigningKey(createPrivateKey(await readFile(file, 'utf8')));
    } catch (cause) {
      throw new Error(`${file} holds no private key: restore it, or remove it, and a new one is made`, {
        cause,
      });
    }
  }

  /** Base64. */
  sign(text: string): string {
    return sign(null, Buffer.from(text), this.privateKey).toString('base64');
  }
}
