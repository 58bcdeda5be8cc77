// The own camera and microphone: one Publisher at a time, from the permission to the last frame.
import type { Journal } from './journal.ts';
import type { MediaElements } from './media-elements.ts';
import type { OpenTok, OpenTokError, Publisher, PublisherOptions, Session, Stream } from './opentok.ts';
import { OWN_TILE } from './people.ts';
import type { Dispatch, OwnMedia as OwnMediaState, State } from './state.ts';

/** What to try in turn while the computer lacks a device; the last error is the one that is told. */
const ATTEMPTS: readonly Pick<PublisherOptions, 'audioSource' | 'videoSource'>[] = [{}, { videoSource: null }, { audioSource: null }];
const LACKS_A_DEVICE = new Set(['OT_NO_DEVICES_FOUND', 'OT_HARDWARE_UNAVAILABLE']);

export interface OwnMediaParts {
  readonly openTok: OpenTok;
  readonly session: Session;
  readonly state: () => State;
  readonly dispatch: Dispatch;
  readonly elements: MediaElements;
  readonly journal: Journal;
  readonly onStream: (stream: Stream) => void;
}

export class OwnMedia {
  readonly #parts: OwnMediaParts;
  #publisher: Publisher | undefined;

  constructor(parts: OwnMediaParts) {
    this.#parts = parts;
  }

  /** Asks for camera and microphone and publishes them; without effect while that is under way or done. */
  start(): void {
    if (this.#publisher) return;
    this.#set({ state: 'starting', hasMicrophone: true, hasCamera: true });
    this.#attempt(0);
  }

  /** Releases camera and microphone. */
  stop(): void {
    const publisher = this.#publisher;
    this.#publisher = undefined;
    publisher?.destroy();
    this.#parts.elements.forget(OWN_TILE);
    this.#set({ state: 'off' });
  }

  /** Mutes or unmutes; turns camera and microphone on when they are off. */
  toggle(track: 'audio' | 'video'): void {
    const { own } = this.#parts.state();
    if (own.state === 'off') {
      this.#set({ [track]: true });
      this.start();
      return;
    }
    const wanted = !own[track];
    this.#set({ [track]: wanted });
    if (track === 'audio') this.#publisher?.publishAudio(wanted);
    else this.#publisher?.publishVideo(wanted);
  }

  #attempt(index: number): void {
    const { openTok, elements, state } = this.#parts;
    const { own, myName } = state();
    const sources = ATTEMPTS[index] ?? {};
    const publisher = openTok.initPublisher(
      elements.of(OWN_TILE),
      {
        ...sources,
        name: myName,
        publishAudio: own.audio,
        publishVideo: own.video,
        resolution: '1280x720',
        insertMode: 'append',
        width: '100%',
        height: '100%',
        showControls: false,
      },
      (error) => {
        if (this.#publisher !== publisher) return;
        if (!error) this.#publish(publisher);
        else if (LACKS_A_DEVICE.has(error.name) && index + 1 < ATTEMPTS.length) this.#attemptAgain(publisher, index + 1);
        else this.#fail(error);
      },
    );
    this.#publisher = publisher;
    this.#listen(publisher);
    this.#set({ hasMicrophone: sources.audioSource !== null, hasCamera: sources.videoSource !== null });
  }

  #attemptAgain(failed: Publisher, index: number): void {
    this.#publisher = undefined;
    failed.destroy();
    this.#attempt(index);
  }

  #publish(publisher: Publisher): void {
    this.#parts.session.publish(publisher, (error) => {
      if (this.#publisher !== publisher) return;
      if (error) this.#fail(error);
      else this.#set({ state: 'live' });
    });
  }

  #fail(error: OpenTokError): void {
    this.stop();
    this.#parts.journal.problem('publish', error);
  }

  #listen(publisher: Publisher): void {
    const { journal, dispatch, onStream } = this.#parts;
    const log = (type: string, summary: string): void => journal.log('media', { type, summary });
    publisher
      .on('accessDialogOpened', ({ type }) => log(type, 'The browser asks for camera and microphone'))
      .on('accessDialogClosed', ({ type }) => log(type, 'The browser has its answer'))
      .on('accessAllowed', ({ type }) => log(type, 'Camera and microphone may be used'))
      .on('accessDenied', (event) => {
        event.preventDefault(); // the toast explains it, and the tile goes
        log(event.type, 'Camera and microphone may not be used');
      })
      .on('streamCreated', (event) => {
        journal.log('stream', { type: event.type, summary: 'Your stream is live', details: { streamId: event.stream.streamId } });
        onStream(event.stream);
      })
      .on('streamDestroyed', ({ type, reason, stream }) => {
        journal.log('stream', { type, reason, summary: 'Your stream ended', details: { streamId: stream.streamId } });
        dispatch({ type: 'streamDestroyed', id: stream.streamId });
        if (this.#publisher === publisher) this.#ended(reason);
      })
      .on('mediaStopped', ({ type }) => log(type, 'A device stopped'))
      .on('destroyed', ({ type }) => log(type, 'Your picture was removed from the page'));
  }

  #ended(reason: string): void {
    this.stop();
    if (reason === 'forceUnpublished')
      this.#parts.journal.notice('A moderator stopped your stream', 'You still see the others. Press the camera button to go on.');
    if (reason === 'mediaStopped')
      this.#parts.journal.notice('Your camera or microphone stopped', 'It was unplugged or taken by another program. Press the camera button to go on.');
  }

  #set(own: Partial<OwnMediaState>): void {
    this.#parts.dispatch({ type: 'own', own });
  }
}
