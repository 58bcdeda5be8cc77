// The streams of others on this page: one Subscriber each.
import type { Journal } from './journal.ts';
import type { MediaElements } from './media-elements.ts';
import type { Session, Stream, Subscriber } from './opentok.ts';
import type { Dispatch, Playback, Reception } from './state.ts';

export interface RemoteMediaParts {
  readonly session: Session;
  readonly dispatch: Dispatch;
  readonly elements: MediaElements;
  readonly journal: Journal;
  /** What a connection's holder is called in the log. */
  readonly who: (connectionId: string) => string;
}

export class RemoteMedia {
  readonly #parts: RemoteMediaParts;
  readonly #subscribers = new Map<string, Subscriber>();

  constructor(parts: RemoteMediaParts) {
    this.#parts = parts;
  }

  /** Subscribes to the stream and shows it in the element of its id. */
  show(stream: Stream): void {
    const { session, dispatch, elements, journal, who } = this.#parts;
    const { streamId } = stream;
    const set = (playback: Playback): void => dispatch({ type: 'playback', streamId, playback });
    const receive = (reception: Reception): void => dispatch({ type: 'reception', streamId, reception });
    const log = (type: string, what: string, reason?: string): void =>
      journal.log('media', { type, summary: `The stream of ${who(stream.connection.connectionId)} ${what}`, details: { streamId }, ...(reason !== undefined && { reason }) });
    set('starting');
    const options = {
      insertMode: 'append',
      width: '100%',
      height: '100%',
      showControls: false,
      fitMode: stream.videoType === 'screen' ? 'contain' : 'cover',
    } as const;
    const subscriber = session
      .subscribe(stream, elements.of(streamId), options, (error) => {
        if (!error) return;
        set('refused');
        journal.problem('subscribe', error);
      })
      .on('connected', ({ type }) => {
        set('playing');
        log(type, 'arrives');
      })
      .on('disconnected', ({ type }) => {
        set('interrupted');
        log(type, 'is interrupted');
      })
      .on('destroyed', ({ type }) => {
        log(type, 'was removed from the page');
        this.#subscribers.delete(streamId);
        this.#checkSound();
      })
      .on('videoElementCreated', ({ element }) => element.addEventListener('volumechange', () => this.#checkSound()))
      .on('videoDisabled', ({ type, reason }) => {
        if (reason === 'quality') receive('left-out');
        log(type, 'shows no video', reason);
      })
      .on('videoEnabled', ({ type, reason }) => {
        receive('good');
        log(type, 'shows video again', reason);
      })
      .on('videoDisableWarning', ({ type }) => {
        receive('poor');
        log(type, 'may soon show no video');
      })
      .on('videoDisableWarningLifted', ({ type }) => {
        receive('good');
        log(type, 'goes on to show video');
      });
    this.#subscribers.set(streamId, subscriber);
  }

  forget(stream: Stream): void {
    this.#parts.elements.forget(stream.streamId);
  }

  /** The browser's rule on sound without a gesture holds for the page, so one held-back stream is enough to tell. */
  #checkSound(): void {
    const blocked = [...this.#subscribers.values()].some((subscriber) => subscriber.isAudioBlocked());
    this.#parts.dispatch({ type: 'soundBlocked', blocked });
  }
}
