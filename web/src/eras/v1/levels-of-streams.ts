/** `microphoneLevelChanged`: how loud the streams are that the page subscribes to. */
import { queueEvent, type SessionModel } from '../../api/index.ts';
import { VolumeEvent } from './events.ts';

const LOOK_EVERY_MS = 50;
const TELL_EVERY_MS = 500;

/** Tells every half second how loud each subscribed stream was in it at most, until the returned function is called. */
export function tellLevels(model: SessionModel): () => void {
  const loudest = new Map<string, number>();
  const look = setInterval(() => {
    for (const subscriber of model.subscribers) {
      const level = subscriber._level();
      const { streamId } = subscriber;
      if (level !== null && streamId !== undefined) loudest.set(streamId, Math.max(level, loudest.get(streamId) ?? 0));
    }
  }, LOOK_EVERY_MS);
  const tell = setInterval(() => {
    for (const [streamId, level] of loudest)
      queueEvent(model.session, new VolumeEvent('microphoneLevelChanged', streamId, volume(level)));
    loudest.clear();
  }, TELL_EVERY_MS);
  return () => {
    clearInterval(look);
    clearInterval(tell);
  };
}

/** 0 to 10 for a linear amplitude of 0 to 1, as the ear has it. */
function volume(level: number): number {
  return Math.round(Math.sqrt(Math.min(1, Math.max(0, level))) * 10);
}
