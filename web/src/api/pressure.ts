/** The pressure on the computer, where the browser tells it (W3C Compute Pressure). */
import { queueEvent, type Emitter } from './emitter.ts';
import { CpuPerformanceChangedEvent } from './events.ts';

interface Observer {
  observe(source: 'cpu', options: { readonly sampleInterval: number }): Promise<void>;
  disconnect(): void;
}
type ObserverClass = new (told: (records: readonly { readonly state: string }[]) => void) => Observer;

const SAMPLE_INTERVAL_MS = 2_000;

/** Dispatches `cpuPerformanceChanged` on each change until the returned function is called. */
export function watchPressure(emitter: Emitter): () => void {
  const { PressureObserver } = globalThis as { PressureObserver?: ObserverClass };
  if (PressureObserver === undefined) return () => undefined;
  let state = '';
  const observer = new PressureObserver((records) => {
    const now = records.at(-1)?.state ?? state;
    if (now === state) return;
    state = now;
    queueEvent(emitter, new CpuPerformanceChangedEvent(now));
  });
  observer.observe('cpu', { sampleInterval: SAMPLE_INTERVAL_MS }).catch(() => undefined); // a page may be forbidden to
  return () => {
    observer.disconnect();
  };
}
