/** What follows when a publisher's source ends by itself: the user stopped sharing, or a device is gone. */
import type { Kind, Sources } from '../rtc/index.ts';
import { queueEvent, type Emitter } from './emitter.ts';
import { AudioInputDeviceChangedEvent, MediaStoppedEvent } from './events.ts';

/** The Publisher, as far as the end of a source must know it. */
export interface SourceOwner {
  /** Dispatches the events. */
  readonly emitter: Emitter;
  readonly sources: Sources;
  /** Whether a microphone that is gone is replaced by another one. */
  readonly managesMicrophone: boolean;
  /** The default behaviour of `mediaStopped`. */
  stopped(): void;
}

/** Takes another microphone in the place of one that is gone; else tells `mediaStopped`. */
export async function sourceEnded(owner: SourceOwner, kind: Kind, track: MediaStreamTrack): Promise<void> {
  const { emitter, sources } = owner;
  if (kind === 'audio' && owner.managesMicrophone && sources.isDevice('audio')) {
    const replaced = await sources.switchTo('audio', true).then(
      () => true,
      () => false,
    );
    if (replaced) {
      const now = sources.raw('audio');
      const deviceId = now?.getSettings().deviceId ?? '';
      queueEvent(emitter, new AudioInputDeviceChangedEvent({ deviceId, label: now?.label ?? track.label }));
      return;
    }
  }
  const all = (['audio', 'video'] as const).map((each) => sources.raw(each));
  const wholeSource = all.every((each) => each === null || each.readyState === 'ended');
  queueEvent(emitter, new MediaStoppedEvent(wholeSource ? undefined : track), () => {
    owner.stopped();
  });
}
