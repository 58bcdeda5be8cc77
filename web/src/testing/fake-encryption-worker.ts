/** An encryption worker that a test plays. */
import type { EncryptionWorker } from '../encryption/index.ts';
import type { FromWorker, ToWorker } from '../encryption/messages.ts';

export class FakeEncryptionWorker implements EncryptionWorker {
  onmessage: ((event: { readonly data: FromWorker }) => void) | null = null;
  onerror: ((event: unknown) => void) | null = null;
  readonly told: ToWorker[] = [];
  isEnded = false;

  constructor(readonly address: string) {}

  postMessage(message: ToWorker): void {
    this.told.push(message);
  }

  terminate(): void {
    this.isEnded = true;
  }

  say(data: FromWorker): void {
    this.onmessage?.({ data });
  }

  /** The secrets that it was told, in their order. */
  get secrets(): string[] {
    return this.told.flatMap((message) => (message.type === 'secret' ? [message.secret] : []));
  }

  /** Has the key of the secret that was told last. */
  ready(): void {
    this.say({ type: 'ready', number: this.told.filter(({ type }) => type === 'secret').length });
  }
}
