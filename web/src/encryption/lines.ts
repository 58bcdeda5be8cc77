/** One line of the peer connection inside the worker: encrypts what it sends, or decrypts and judges what it receives. */
import { InitialVectors, type FrameKey } from './keys.ts';
import { associatedData, unwrap, wrap, type Medium, type Sealed } from './layout.ts';

/** What is used of an encoded frame of the browser. */
export interface EncodedFrame {
  data: ArrayBuffer;
}

/** Passes a frame on; a frame that is not passed on is dropped. */
export type Forward = (frame: EncodedFrame) => void;

/** So many frames in a row must fail before the secret counts as another one: a slot may still hold an earlier stream's. */
const FAILURES = 3;

/** Encrypts every frame. Without a key nothing is sent. */
export class SentLine {
  private readonly vectors = new InitialVectors();

  constructor(
    private readonly medium: Medium,
    private readonly current: () => FrameKey | null,
  ) {}

  async handle(frame: EncodedFrame, forward: Forward): Promise<void> {
    const key = this.current();
    if (key === null || frame.data.byteLength === 0) return;
    const plain = new Uint8Array(frame.data);
    const iv = this.vectors.next();
    const ciphertext = await crypto.subtle.encrypt(algorithm(iv, this.medium), key.key, plain);
    const whole = wrap(this.medium, plain, { ciphertext: new Uint8Array(ciphertext), iv, keyId: key.id });
    if (whole === null) return;
    frame.data = whole.buffer;
    forward(frame);
  }
}

/** Decrypts every frame; what the key does not open, or what was never encrypted, is dropped. */
export class ReceivedLine {
  private verdict: 'unknown' | 'match' | 'mismatch' = 'unknown';
  private failures = 0;

  /** `tell` hears whether the secret fits, when that changes; `askKeyFrame` is called when pictures can be shown again. */
  constructor(
    private readonly medium: Medium,
    private readonly current: () => FrameKey | null,
    private readonly tell: (matches: boolean) => void,
    private readonly askKeyFrame: () => void,
  ) {}

  /** Another stream comes from now on, or somebody new wants to know. */
  judgeAgain(): void {
    this.verdict = 'unknown';
    this.failures = 0;
  }

  async handle(frame: EncodedFrame, forward: Forward): Promise<void> {
    const key = this.current();
    if (key === null || frame.data.byteLength === 0) return;
    const sealed = unwrap(this.medium, new Uint8Array(frame.data));
    const plain = sealed === null ? null : await this.open(sealed, key);
    if (plain === null) {
      this.failed();
      return;
    }
    if (this.failures > 0 && this.medium === 'video') this.askKeyFrame();
    this.failures = 0;
    if (this.verdict !== 'match') {
      this.verdict = 'match';
      this.tell(true);
    }
    frame.data = plain;
    forward(frame);
  }

  private async open({ ciphertext, iv, keyId }: Sealed, key: FrameKey): Promise<ArrayBuffer | null> {
    if (keyId.some((byte, at) => byte !== key.id[at])) return null;
    return crypto.subtle.decrypt(algorithm(iv, this.medium), key.key, ciphertext).catch(() => null);
  }

  private failed(): void {
    this.failures += 1;
    if (this.failures < FAILURES || this.verdict === 'mismatch') return;
    this.verdict = 'mismatch';
    this.tell(false);
  }
}

function algorithm(iv: Uint8Array<ArrayBuffer>, medium: Medium): AesGcmParams {
  return { name: 'AES-GCM', iv, additionalData: associatedData(medium) };
}
