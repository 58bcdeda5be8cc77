/**
 * The first frame and the first sample of a binding.
 *
 * A slot pair is used again for other streams without new SDP, so its tracks may still deliver what belongs to the stream
 * before. RTP timestamps tell the two apart; `mute` and `unmute` of a track do not.
 */
import type { Receiver } from './peer.ts';

/** How often a waiting element looks at its receiver; no more than a few frames late. */
const POLL_MS = 40;

/** Whether RTP timestamp `now` is at or past `from`, both mod 2^32. */
export function reached(now: number, from: number): boolean {
  return (now - from) >>> 0 < 0x8000_0000;
}

/**
 * Calls `begin` once when `video` presents its first frame that belongs to the binding, and keeps quiet after the
 * returned function was called. `from` is the first RTP timestamp of the binding; null takes any frame.
 */
export function whenPictureBegins(
  video: HTMLVideoElement,
  receiver: Receiver,
  from: number | null,
  begin: () => void,
): () => void {
  let over = false;
  let settled = false;
  const finish = (): void => {
    if (over) return;
    over = true;
    begin();
  };
  const look = (_now: number, frame: VideoFrameCallbackMetadata): void => {
    if (over) return;
    if (from === null || (frame.rtpTimestamp !== undefined && reached(frame.rtpTimestamp, from))) {
      finish();
      return;
    }
    if (frame.rtpTimestamp === undefined) {
      // The receiver runs ahead of the screen: what it has delivered is presented with the next callback at the latest.
      if (settled) {
        finish();
        return;
      }
      settled = hasReached(receiver, from);
    }
    video.requestVideoFrameCallback(look);
  };
  if ('requestVideoFrameCallback' in video) {
    video.requestVideoFrameCallback(look);
    return () => {
      over = true;
    };
  }
  return poll(() => from === null || hasReached(receiver, from), begin);
}

/** Calls `begin` once when `receiver` has played its first sample at or past `from`; null takes any. Returns how to stop. */
export function whenSoundBegins(receiver: Receiver, from: number | null, begin: () => void): () => void {
  return poll(() => from === null || hasReached(receiver, from), begin);
}

function hasReached(receiver: Receiver, from: number): boolean {
  const [newest] = [...receiver.getSynchronizationSources()].sort((one, other) => other.timestamp - one.timestamp);
  return newest !== undefined && reached(newest.rtpTimestamp, from);
}

function poll(isTrue: () => boolean, then: () => void): () => void {
  if (isTrue()) {
    then();
    return () => undefined;
  }
  const timer = setInterval(() => {
    if (!isTrue()) return;
    clearInterval(timer);
    then();
  }, POLL_MS);
  return () => {
    clearInterval(timer);
  };
}
