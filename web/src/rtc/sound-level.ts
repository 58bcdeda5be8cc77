/** How loud a local track is. One audio context serves the whole page. */

let context: AudioContext | null = null;

export interface LevelMeter {
  /** Linear amplitude from 0 to 1: the loudest sample of about the last 43 ms. */
  read(): number;
  close(): void;
}

/** Measures `track`; where the browser has no Web Audio, or holds it back, it reads 0. */
export function meterOf(track: MediaStreamTrack): LevelMeter {
  if (typeof AudioContext !== 'function') return { read: () => 0, close: () => undefined };
  context ??= new AudioContext();
  const { state } = context;
  if (state === 'suspended') context.resume().catch(() => undefined); // it starts with the user's first gesture
  const source = context.createMediaStreamSource(new MediaStream([track]));
  const analyser = context.createAnalyser();
  const samples = new Float32Array(analyser.fftSize);
  source.connect(analyser);
  return {
    read: () => {
      analyser.getFloatTimeDomainData(samples);
      let loudest = 0;
      for (const sample of samples) loudest = Math.max(loudest, Math.abs(sample));
      return Math.min(1, loudest);
    },
    close: () => {
      source.disconnect();
    },
  };
}
