// The stage: every picture in a grid that fills it, or in its place what there is to say.
import { html, nothing, type TemplateResult } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import { styleMap } from 'lit/directives/style-map.js';
import { placeTiles, type Place, type Size } from '../grid.ts';
import { tiles, type Tile } from '../people.ts';
import type { State } from '../state.ts';
import type { Actions } from './actions.ts';
import { avatar } from './avatar.ts';
import { icon } from './icons.ts';
import { inviteTile } from './invite-tile.ts';
import { noticeView } from './notice-view.ts';

export interface StageParts {
  readonly state: State;
  readonly actions: Actions;
  readonly size: Size;
  readonly media: (key: string) => HTMLElement;
  readonly isLocal: boolean;
}

/** The key of the tile that invites others while one is alone. */
const INVITE = 'invite';

export function stageView(parts: StageParts): TemplateResult {
  const { state, actions } = parts;
  return html`<main class="stage" aria-label="Stage">
    ${state.phase.name === 'connected' || state.phase.name === 'reconnecting' ? gridView(parts) : noticeView(state, actions)}
    ${state.phase.name === 'reconnecting'
      ? html`<p class="banner" data-tone="warning">${icon('warning')}The server is not heard. Trying again; your seat is kept.</p>`
      : nothing}
    ${state.soundBlocked
      ? html`<p class="banner">${icon('sound')}The browser holds back sound until you touch the page.
          <button type="button" class="button" @click=${() => actions.unblockSound()}>Turn sound on</button></p>`
      : nothing}
  </main>`;
}

function gridView({ state, actions, size, media, isLocal }: StageParts): TemplateResult {
  const shown = tiles(state);
  const isAlone = state.connections.length <= 1;
  const keys = [...shown.map(({ key }) => key), ...(isAlone ? [INVITE] : [])];
  if (keys.length === 0)
    return html`<div class="notice"><p>Nobody is sending a picture yet.</p></div>`;
  const places = placeTiles(size, keys.length);
  const placeOf = (key: string): Place => places[keys.indexOf(key)] ?? { x: 0, y: 0, width: 0, height: 0 };
  return html`<ul class="grid" role="list">
    ${repeat(shown, ({ key }) => key, (tile) => tileView(tile, placeOf(tile.key), media(tile.key)))}
    ${isAlone ? html`<li class="slot" style=${styleMap(placeStyle(placeOf(INVITE)))}>${inviteTile(actions, isLocal)}</li>` : nothing}
  </ul>`;
}

function tileView(tile: Tile, place: Place, media: HTMLElement): TemplateResult {
  const waiting = WAITING[tile.playback];
  const isSeen = tile.hasVideo && tile.reception !== 'left-out';
  const note = waiting === undefined && tile.hasVideo ? RECEPTION[tile.reception] : undefined;
  return html`<li class="slot" style=${styleMap(placeStyle(place))}>
    <article class="tile" aria-label=${tileLabel(tile)} data-playback=${tile.playback}>
      ${media}
      ${isSeen ? nothing : html`<div class="tile-face">${avatar(tile.connectionId, tile.name)}</div>`}
      ${waiting ? html`<p class="tile-waiting"><span class="spinner"></span>${waiting}</p>` : nothing}
      ${note ? html`<p class="tile-note">${icon('warning')}<span class="tile-text">${note}</span></p>` : nothing}
      <p class="tile-name">
        ${tile.hasAudio ? nothing : html`<span class="tile-muted">${icon('microphoneOff')}</span>`}
        <span class="tile-text">${tile.name}</span>${tile.isMe ? html`<span class="tag">you</span>` : nothing}
      </p>
    </article>
  </li>`;
}

const WAITING: Readonly<Record<Tile['playback'], string | undefined>> = {
  starting: 'Starting…',
  playing: undefined,
  interrupted: 'Interrupted, trying again…',
  refused: 'This stream cannot be shown',
};

const RECEPTION: Readonly<Record<Tile['reception'], string | undefined>> = {
  good: undefined,
  poor: 'Your network is slow',
  'left-out': 'Sound only: your network is too slow',
};

function tileLabel({ name, isMe, hasAudio, hasVideo }: Tile): string {
  const facts = [isMe ? 'you' : '', hasAudio ? '' : 'microphone off', hasVideo ? '' : 'camera off'].filter(Boolean);
  return [name, ...facts].join(', ');
}

function placeStyle({ x, y, width, height }: Place): Record<string, string> {
  return { transform: `translate(${x}px, ${y}px)`, width: `${width}px`, height: `${height}px` };
}
