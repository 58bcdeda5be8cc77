/** End-to-end encryption on the page's side: its worker, and which lines of the peer connection pass through it. */
import { OTError } from '../errors.ts';
import { logger } from '../logger.ts';
import type { Medium } from './layout.ts';
import type { FromWorker, LineOptions, ToWorker } from './messages.ts';

/** What is used of a Worker. */
export interface EncryptionWorker {
  onmessage: ((event: { readonly data: FromWorker }) => void) | null;
  onerror: ((event: unknown) => void) | null;
  postMessage(message: ToWorker, transfer?: Transferable[]): void;
  terminate(): void;
}

/** Makes a worker from an address; may throw. */
export type WorkerFactory = (address: string) => EncryptionWorker;

/** One end of a line: an RTCRtpSender or an RTCRtpReceiver. */
export interface LineEnd {
  transform?: unknown;
  /** What browsers had before `transform`. */
  createEncodedStreams?(): { readonly readable: ReadableStream; readonly writable: WritableStream };
}

type ScriptTransform = new (worker: unknown, options: LineOptions) => object;

/** Shortest and longest secret, in characters. */
export const SECRET_LENGTH = { least: 8, most: 256 };
/** How long a worker may take to start and to derive a key, which is slow on purpose. */
const DEADLINE_MS = 20_000;

interface Waiting {
  resolve(): void;
  reject(error: Error): void;
}

/** Whether this browser can encrypt frames; a page that is not secure has no cryptography. */
export function canEncrypt(): boolean {
  const global = globalThis as { readonly crypto?: { readonly subtle?: unknown }; readonly Worker?: unknown };
  return (
    typeof global.Worker === 'function' &&
    global.crypto?.subtle !== undefined &&
    (scriptTransform() !== null || hasEncodedStreams())
  );
}

/** `value` as a secret. Throws OT_INVALID_ENCRYPTION_SECRET. */
export function checkSecret(value: unknown): string {
  if (typeof value === 'string' && value.length >= SECRET_LENGTH.least && value.length <= SECRET_LENGTH.most)
    return value;
  throw new OTError(
    'OT_INVALID_ENCRYPTION_SECRET',
    `An encryption secret is a text of ${SECRET_LENGTH.least} to ${SECRET_LENGTH.most} characters.`,
  );
}

export class FrameEncryption {
  private worker: EncryptionWorker | null = null;
  private isClosed = false;
  private turn: Promise<unknown> = Promise.resolve();
  private lines = 0;
  private secrets = 0;
  private readonly waiting = new Map<number, Waiting>();
  private readonly verdicts = new Map<number, (matches: boolean) => void>();

  /** The worker's program is taken from the first of `addresses` that starts. */
  constructor(
    private readonly addresses: readonly string[],
    private readonly makeWorker: WorkerFactory,
    private readonly after: (milliseconds: number, run: () => void) => unknown,
  ) {}

  /**
   * Frames are encrypted with this secret from now on, and those of no other are shown. Resolves when the worker has the
   * key. Rejects with OT_NOT_SUPPORTED where no worker starts.
   */
  setSecret(secret: string, sessionId: string): Promise<void> {
    const set = this.turn.then(() => this.take(secret, sessionId));
    this.turn = set.catch(() => undefined);
    return set;
  }

  /** What the peer connection must be made with. */
  configuration(): RTCConfiguration {
    return (scriptTransform() === null ? { encodedInsertableStreams: true } : {}) as RTCConfiguration;
  }

  /** Lets everything that passes through `end` pass through the worker; returns the line's number. */
  protect(end: LineEnd, direction: LineOptions['direction'], medium: Medium): number {
    const { worker } = this;
    if (worker === null) throw new OTError('OT_NOT_SUPPORTED', 'The worker that encrypts does not run.');
    const options: LineOptions = { line: (this.lines += 1), direction, medium };
    const Transform = scriptTransform();
    if (Transform !== null) end.transform = new Transform(worker, options);
    else if (end.createEncodedStreams !== undefined) {
      const { readable, writable } = end.createEncodedStreams();
      worker.postMessage({ type: 'line', options, readable, writable }, [readable, writable] as Transferable[]);
    } else throw new OTError('OT_NOT_SUPPORTED', 'This browser cannot encrypt frames.');
    return options.line;
  }

  /**
   * Has the frames of these lines judged anew, together: `told` hears true when frames can be decrypted, false when those
   * of a line cannot. Returns what ends that.
   */
  watch(lines: readonly number[], told: (matches: boolean) => void): () => void {
    const failing = new Set<number>();
    const hear = (line: number) => (matches: boolean) => {
      if (matches) failing.delete(line);
      else failing.add(line);
      told(failing.size === 0);
    };
    const heard = lines.map((line) => [line, hear(line)] as const);
    for (const [line, listener] of heard) {
      this.verdicts.set(line, listener);
      this.worker?.postMessage({ type: 'judge', line });
    }
    return () => {
      for (const [line, listener] of heard) if (this.verdicts.get(line) === listener) this.verdicts.delete(line);
    };
  }

  /** Ends the worker. Nothing passes through the lines any more. */
  close(): void {
    this.isClosed = true;
    this.worker?.terminate();
    this.worker = null;
    this.verdicts.clear();
    this.fail(new Error('The session has ended.'));
  }

  private async take(secret: string, sessionId: string): Promise<void> {
    if (this.worker !== null) {
      await this.tell(this.worker, secret, sessionId);
      return;
    }
    for (const address of this.addresses) {
      if (this.isClosed) break;
      let worker: EncryptionWorker | null = null;
      try {
        worker = this.makeWorker(address);
        this.listen(worker);
        await this.tell(worker, secret, sessionId);
        if (this.isClosed) worker.terminate();
        else this.worker = worker;
        return;
      } catch (error) {
        worker?.terminate();
        logger.warn('An encryption worker does not start.', error);
      }
    }
    throw new OTError(
      'OT_NOT_SUPPORTED',
      'The worker that encrypts could not be started: allow blob: in worker-src, or see OT.setEncryptionWorkerUrl.',
    );
  }

  private tell(worker: EncryptionWorker, secret: string, sessionId: string): Promise<void> {
    const number = (this.secrets += 1);
    return new Promise<void>((resolve, reject) => {
      this.waiting.set(number, { resolve, reject });
      this.after(DEADLINE_MS, () => {
        this.settle(number)?.reject(new Error('The worker does not answer.'));
      });
      worker.postMessage({ type: 'secret', number, secret, sessionId });
    });
  }

  private listen(worker: EncryptionWorker): void {
    worker.onmessage = ({ data }) => {
      if (data.type === 'verdict') this.verdicts.get(data.line)?.(data.matches);
      else if (data.type === 'ready') this.settle(data.number)?.resolve();
      else this.settle(data.number)?.reject(new Error(data.message));
    };
    worker.onerror = () => {
      this.fail(new Error('The worker could not be loaded.'));
    };
  }

  private settle(number: number): Waiting | undefined {
    const waiting = this.waiting.get(number);
    this.waiting.delete(number);
    return waiting;
  }

  private fail(error: Error): void {
    for (const number of [...this.waiting.keys()]) this.settle(number)?.reject(error);
  }
}

function scriptTransform(): ScriptTransform | null {
  const { RTCRtpScriptTransform: made } = globalThis as { readonly RTCRtpScriptTransform?: ScriptTransform };
  return made ?? null;
}

function hasEncodedStreams(): boolean {
  const { RTCRtpSender: sender } = globalThis as { readonly RTCRtpSender?: { readonly prototype: object } };
  return sender !== undefined && 'createEncodedStreams' in sender.prototype;
}
