/** A Subscriber of the first era. */
import { Subscriber, type Done, type SessionModel, type Stream, type Target } from '../../api/index.ts';
import type { Properties } from '../../options.ts';
import { misuse } from './exceptions.ts';
import { subscriberWishes } from './options.ts';

export class SubscriberV1 extends Subscriber {
  constructor(model: SessionModel, stream: Stream, target: Target, given: Properties, done: Done | undefined) {
    super(model, stream, target, subscriberWishes(given), done);
    const { subscribeToAudio, subscribeToVideo, setAudioVolume } = this;
    this.#redefine('subscribeToAudio', (value) => void subscribeToAudio(value));
    this.#redefine('subscribeToVideo', (value) => void subscribeToVideo(value));
    this.#redefine('setAudioVolume', (value) => {
      if (this.element?.isConnected !== true)
        throw misuse('Subscriber', 'setAudioVolume', 'the element is not in the page any more');
      return setAudioVolume(value);
    });
  }

  /** 0 to 100. */
  get audioVolume(): number {
    return this.getAudioVolume();
  }

  get loaded(): boolean {
    return this.element?.classList.contains('OT_loading') === false;
  }

  /** The older `subscribeToAudio(true)`. */
  enableAudio(): void {
    this.subscribeToAudio(true);
  }

  disableAudio(): void {
    this.subscribeToAudio(false);
  }

  /** In the second era these are members of each object, with another result. */
  #redefine(
    name: 'subscribeToAudio' | 'subscribeToVideo' | 'setAudioVolume',
    value: (value?: unknown) => unknown,
  ): void {
    Object.defineProperty(this, name, { value });
  }
}
