/** The worker's program: a script of its own, which the build puts into the client script as text. */
import { deriveKey, type FrameKey } from './keys.ts';
import { ReceivedLine, SentLine, type EncodedFrame } from './lines.ts';
import type { FromWorker, LineOptions, ToWorker } from './messages.ts';

/** What is used of RTCRtpScriptTransformer; the key-frame calls are missing in older browsers. */
interface Transformer {
  readonly options: LineOptions;
  readonly readable: ReadableStream;
  readonly writable: WritableStream;
  generateKeyFrame?(): Promise<unknown>;
  sendKeyFrameRequest?(): Promise<unknown>;
}

interface WorkerScope {
  onmessage: ((event: { readonly data: ToWorker }) => void) | null;
  onrtctransform: ((event: { readonly transformer: Transformer }) => void) | null;
  postMessage(message: FromWorker): void;
}

const scope = globalThis as unknown as WorkerScope;
let key: FrameKey | null = null;
let newest = 0;
const received = new Map<number, ReceivedLine>();
/** Lets each video line that is sent begin anew, so that frames of the new key can be decoded from the first. */
const renewals = new Set<() => void>();

function run({ options, readable, writable, ...calls }: Transformer): void {
  const { line, direction, medium } = options;
  const ask = (call: (() => Promise<unknown>) | undefined): void => {
    call?.().catch(() => undefined); // the browser asks for itself after a while
  };
  const renew = (): void => {
    ask(calls.generateKeyFrame);
  };
  let handler: Pick<SentLine, 'handle'>;
  if (direction === 'sent') {
    handler = new SentLine(medium, () => key);
    if (medium === 'video') renewals.add(renew);
  } else {
    const judged = new ReceivedLine(
      medium,
      () => key,
      (matches) => {
        scope.postMessage({ type: 'verdict', line, matches });
      },
      () => {
        ask(calls.sendKeyFrameRequest);
      },
    );
    received.set(line, judged);
    handler = judged;
  }
  const transform = new TransformStream<EncodedFrame, EncodedFrame>({
    transform: (frame, controller) =>
      handler.handle(frame, (ready) => {
        controller.enqueue(ready);
      }),
  });
  const end = (): void => {
    received.delete(line);
    renewals.delete(renew);
  };
  readable.pipeThrough(transform).pipeTo(writable).then(end, end);
}

async function take(number: number, secret: string, sessionId: string): Promise<void> {
  newest = number;
  try {
    const derived = await deriveKey(secret, sessionId);
    if (number === newest) {
      key = derived;
      for (const renew of renewals) renew();
    }
    scope.postMessage({ type: 'ready', number });
  } catch (error) {
    scope.postMessage({ type: 'failed', number, message: String(error) });
  }
}

scope.onrtctransform = ({ transformer }) => {
  run({
    options: transformer.options,
    readable: transformer.readable,
    writable: transformer.writable,
    ...('generateKeyFrame' in transformer ? { generateKeyFrame: async () => transformer.generateKeyFrame?.() } : {}),
    ...('sendKeyFrameRequest' in transformer
      ? { sendKeyFrameRequest: async () => transformer.sendKeyFrameRequest?.() }
      : {}),
  });
};

scope.onmessage = ({ data }) => {
  switch (data.type) {
    case 'secret':
      void take(data.number, data.secret, data.sessionId);
      return;
    case 'line':
      run(data);
      return;
    case 'judge':
      received.get(data.line)?.judgeAgain();
  }
};
