/** Keys of frames, made of the secret that an application has given. */
import { IV_BYTES, KEY_ID_BYTES } from './layout.ts';

export interface FrameKey {
  readonly key: CryptoKey;
  /** Tells frames of this key from frames of another. */
  readonly id: Uint8Array<ArrayBuffer>;
}

/** OWASP's figure for PBKDF2 with SHA-256: a secret that people can remember must be dear to guess. */
const ITERATIONS = 600_000;
const SALT = 'tertulia end-to-end encryption 1 ';

/** The key of a secret in a session: PBKDF2 (RFC 8018), then HKDF (RFC 5869) for the AES-GCM key and for its id. */
export async function deriveKey(secret: string, sessionId: string): Promise<FrameKey> {
  const { subtle } = crypto;
  const text = new TextEncoder();
  const password = await subtle.importKey('raw', text.encode(secret), 'PBKDF2', false, ['deriveBits']);
  const master = await subtle.deriveBits(
    { name: 'PBKDF2', hash: 'SHA-256', salt: text.encode(SALT + sessionId), iterations: ITERATIONS },
    password,
    256,
  );
  const root = await subtle.importKey('raw', master, 'HKDF', false, ['deriveKey', 'deriveBits']);
  const part = (info: string): HkdfParams => ({
    name: 'HKDF',
    hash: 'SHA-256',
    salt: new Uint8Array(0),
    info: text.encode(info),
  });
  const [key, id] = await Promise.all([
    subtle.deriveKey(part('frame key'), root, { name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']),
    subtle.deriveBits(part('key id'), root, KEY_ID_BYTES * 8),
  ]);
  return { key, id: new Uint8Array(id) };
}

/**
 * Initial vectors that no sender uses twice: 8 random bytes of this sender's, then a counter. All clients of a session
 * have one key, so that the random part must keep them apart.
 */
export class InitialVectors {
  private prefix = new Uint8Array(0);
  private counter = 0;

  next(): Uint8Array<ArrayBuffer> {
    if (this.prefix.length === 0 || this.counter > 0xffff_ffff) {
      this.prefix = crypto.getRandomValues(new Uint8Array(IV_BYTES - 4));
      this.counter = 0;
    }
    const iv = new Uint8Array(IV_BYTES);
    iv.set(this.prefix);
    new DataView(iv.buffer).setUint32(IV_BYTES - 4, this.counter++);
    return iv;
  }
}
