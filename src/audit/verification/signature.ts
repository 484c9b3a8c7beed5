import { createHash, createPublicKey, verify } from 'node:crypto';

/** The beginning of the SHA-256 of a public key's DER: enough to tell keys apart. @param publicKey PEM */
export function keyIdOf(publicKey: string): string {
  const der = createPublicKey(publicKey).export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(der).digest('hex').slice(0, 16);
}

/** Whether an Ed25519 signature is one of the text. @param publicKey PEM @param signature base64 */
export function isSignedBy(publicKey: string, text: string, signature: string): boolean {
  try {
    return verify(null, Buffer.from(text), createPublicKey(publicKey), Buffer.from(signature, 'base64'));
  } catch {
    return false;
  }
}
