/** A Subscriber of the first era. */
import { Subscriber, type Done, type SessionModel, type Stream, type Target } from '../../api/index.ts';
import type { Properties } from '../../options.ts';
import { misuse } from './exceptions.ts';
import { subscriberWishes } from './options.ts';

export class SubscriberV1 extends Subscriber {
  constructor(model: SessionModel, stream: Stream, target: Target, given: Properties, done: Done | undefined) {
    super(model, stream, target, subscriberWishes(given), done);
    const setVolume = this.setAudioVolume;
    Object.defineProperty(this, 'setAudioVolume', {
      value: (value?: unknown): unknown => {
        if (this.element?.isConnected !== true)
          throw misuse('Subscriber', 'setAudioVolume', 'the element is not in the page any more');
        return setVolume(value);
      },
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
  enableAudio(): unknown {
    return this.subscribeToAudio(true);
  }

  disableAudio(): unknown {
    return this.subscribeToAudio(false);
  }
}
