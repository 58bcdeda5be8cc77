// The streams of others on this page: one Subscriber each.
import type { Journal } from './journal';
import type { MediaElements } from './media-elements';
import type { Session, Stream } from './opentok';
import type { Dispatch, Playback } from './state';

export interface RemoteMediaParts {
  readonly session: Session;
  readonly dispatch: Dispatch;
  readonly elements: MediaElements;
  readonly journal: Journal;
}

export class RemoteMedia {
  readonly #parts: RemoteMediaParts;

  constructor(parts: RemoteMediaParts) {
    this.#parts = parts;
  }

  /** Subscribes to the stream and shows it in the element of its id. */
  show(stream: Stream): void {
    const { session, dispatch, elements, journal } = this.#parts;
    const { streamId } = stream;
    const set = (playback: Playback): void => dispatch({ type: 'playback', streamId, playback });
    const log = (type: string, summary: string, reason?: string): void =>
      journal.log('media', { type, summary, details: { streamId }, ...(reason !== undefined && { reason }) });
    set('starting');
    const options = {
      insertMode: 'append',
      width: '100%',
      height: '100%',
      showControls: false,
      fitMode: stream.videoType === 'screen' ? 'contain' : 'cover',
    } as const;
    session
      .subscribe(stream, elements.of(streamId), options, (error) => {
        if (!error) return;
        set('refused');
        journal.problem('subscribe', error);
      })
      .on('connected', ({ type }) => {
        set('playing');
        log(type, 'A stream arrives');
      })
      .on('disconnected', ({ type }) => {
        set('interrupted');
        log(type, 'A stream is interrupted');
      })
      .on('destroyed', ({ type }) => log(type, 'A stream was removed from the page'))
      .on('audioBlocked', ({ type }) => {
        dispatch({ type: 'soundBlocked', blocked: true });
        log(type, 'The browser holds back sound');
      })
      .on('audioUnblocked', ({ type }) => {
        dispatch({ type: 'soundBlocked', blocked: false });
        log(type, 'The browser plays sound');
      })
      .on('videoDisabled', ({ type, reason }) => log(type, 'Video of a stream stopped', reason))
      .on('videoEnabled', ({ type, reason }) => log(type, 'Video of a stream is back', reason));
  }

  forget(stream: Stream): void {
    this.#parts.elements.forget(stream.streamId);
  }
}
