/** Makes a microphone louder or quieter before its sound is sent. */

/** 50 leaves the sound as it is, 100 doubles its amplitude, 0 silences it. */
export const NEUTRAL_GAIN = 50;

let context: AudioContext | null = null;

/** The page's audio context, once it runs: before the user's first gesture a browser may hold it back. */
export async function runningContext(): Promise<AudioContext> {
  context ??= new AudioContext();
  if (context.state !== 'running') await context.resume();
  return context;
}

/** A media processor for sound; see `setAudioMediaProcessorConnector`. */
export class GainProcessor {
  readonly #context: AudioContext;
  readonly #gain: GainNode;
  readonly #out: MediaStreamAudioDestinationNode;
  #source: MediaStreamAudioSourceNode | null = null;

  constructor(running: AudioContext, gain: number) {
    this.#context = running;
    this.#gain = running.createGain();
    this.#out = running.createMediaStreamDestination();
    this.#gain.connect(this.#out);
    this.set(gain);
  }

  /** 0 to 100. */
  set(gain: number): void {
    this.#gain.gain.value = gain / NEUTRAL_GAIN;
  }

  setTrack(track: MediaStreamTrack): Promise<MediaStreamTrack> {
    this.#source?.disconnect();
    this.#source = this.#context.createMediaStreamSource(new MediaStream([track]));
    this.#source.connect(this.#gain);
    const [made] = this.#out.stream.getAudioTracks();
    return made === undefined ? Promise.reject(new Error('The audio context makes no track.')) : Promise.resolve(made);
  }

  destroy(): Promise<void> {
    this.#source?.disconnect();
    this.#gain.disconnect();
    return Promise.resolve();
  }
}
