// One session: who is in it, with a button to remove each, and tokens for it with pages that are ready to use them.
import { html, nothing, type TemplateResult } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import { icon } from '../../playground/views/icons.ts';
import type { Connection, Project, Stream } from '../api.ts';
import { pageSource, trialAddress, type Era } from '../ready-pages.ts';
import { addressOf, type State } from '../state.ts';
import { ago, count, LIFETIMES, nameIn, shortId } from '../words.ts';
import { valuesOf, type Actions } from './actions.ts';
import { select, value, waiting } from './parts.ts';

const ROLES = [['publisher', 'Publisher'], ['subscriber', 'Subscriber'], ['publisheronly', 'Publisher only'], ['moderator', 'Moderator']] as const;
const FORMATS = [['jwt', 'JWT'], ['t1', 'T1 (older)']] as const;
const ERAS: readonly (readonly [Era, string])[] = [['v2', 'OT, version 2'], ['v1', 'TB, version 1']];

export function sessionView(state: State, project: Project, actions: Actions, nowMs: number, page: URL): TemplateResult {
  const id = state.place.session ?? '';
  const { session } = state;
  return html`
    <a class="back shown" href=${addressOf({ key: project.apiKey, tab: 'sessions' })}>${project.name || project.apiKey}</a>
    <div class="title"><h1 tabindex="-1" data-arrival>Session</h1>
      ${session ? html`<span class="tag" data-kind="plain">${session.mediaMode}</span>${session.archiveMode === 'always' ? html`<span class="tag" data-kind="plain">archived</span>` : nothing}` : nothing}</div>
    <dl class="card values">${value('Session id', 'session id', id, actions)}</dl>
    <div class="section-head"><h2>Inside</h2>${session ? html`<span class="muted">${session.inside.length ? count(session.inside.length, 'connection') : ''}</span>` : nothing}</div>
    ${session ? inside(session.inside, actions, nowMs) : waiting()}
    <div class="section-head"><h2>Make a token</h2></div>
    ${tokenForm(state, actions)}
    ${made(state, project, actions, page)}`;
}

function inside(people: readonly Connection[], actions: Actions, nowMs: number): TemplateResult {
  if (people.length === 0) return html`<p class="empty">Nobody is inside. Make a token and open a page below.</p>`;
  return html`<ul class="card rows people">${repeat(people, ({ connectionId }) => connectionId, (one) => person(one, actions, nowMs))}</ul>`;
}

function person(one: Connection, actions: Actions, nowMs: number): TemplateResult {
  const name = nameIn(one.data);
  const who = name || shortId(one.connectionId);
  return html`<li>
    <div class="person">
      <p><strong>${name || html`<code title=${one.connectionId}>${shortId(one.connectionId)}</code>`}</strong>
        <span class="tag" data-kind="plain">${one.role}</span>${one.state === 'connected' ? nothing : html`<span class="tag" data-kind="warning">${one.state}</span>`}</p>
      <p class="muted">Joined ${ago(one.createdAtMs, nowMs)}${name ? html` · <code title=${one.connectionId}>${shortId(one.connectionId)}</code>` : nothing}</p>
      ${one.data && !name ? html`<p class="muted data">${one.data}</p>` : nothing}
      ${one.streams.length ? html`<ul class="streams">${one.streams.map((stream) => html`<li>${streamView(stream)}</li>`)}</ul>` : html`<p class="muted">No streams</p>`}
    </div>
    <button type="button" class="button" data-kind="ghost" aria-label="Remove ${who}" @click=${() => actions.ask({ name: 'kick', connectionId: one.connectionId, who })}>Remove</button>
  </li>`;
}

function streamView(stream: Stream): TemplateResult {
  const size = stream.hasVideo && stream.width ? `${stream.width}×${stream.height}` : '';
  return html`${icon(stream.hasVideo ? 'camera' : 'cameraOff')}${icon(stream.hasAudio ? 'microphone' : 'microphoneOff')}
    <span>${stream.name || stream.videoType || 'sound'}</span> <span class="muted">${size}</span>
    <span class="hidden">${stream.hasVideo ? 'with video' : 'without video'}, ${stream.hasAudio ? 'with sound' : 'without sound'}</span>`;
}

function tokenForm({ isBusy }: State, actions: Actions): TemplateResult {
  const submit = (event: SubmitEvent): void => {
    const { role = 'publisher', data = '', lifetime = '86400', format = 'jwt' } = valuesOf(event);
    actions.createToken({ role, data, lifetimeS: Number(lifetime), format });
  };
  return html`<form class="card form token-form" @submit=${submit}>
    ${select('Role', 'role', ROLES)}
    <label class="field wide"><span>Data for the others</span><input name="data" maxlength="1000" placeholder="name=Ida" autocomplete="off" /></label>
    ${select('Good for', 'lifetime', LIFETIMES.map(([seconds, words]) => [String(seconds), words]), '86400')}
    ${select('Format', 'format', FORMATS)}
    <button class="button" data-kind="primary" ?disabled=${isBusy}>Make token</button>
  </form>`;
}

function made({ made }: State, project: Project, actions: Actions, page: URL): TemplateResult | typeof nothing {
  if (!made) return nothing;
  const facts = { apiKey: project.apiKey, sessionId: made.session, token: made.token };
  return html`<section class="card made" aria-label="The token">
    <dl class="values">${value(`Token of a ${made.role}`, 'token', made.token, actions)}</dl>
    <p class="muted">Good until ${new Date(made.expiresAtMs).toLocaleString()}. It is not kept: copy it now.</p>
    <h2>A page that is ready</h2>
    <ul class="eras">${ERAS.map(([era, words]) => html`<li><span class="era">${words}</span>
      <a class="button" target="_blank" rel="noopener" href=${trialAddress(era, facts, page)} aria-label="Open a page with ${words}">${icon('newTab')}Open</a>
      <button type="button" class="button" aria-label="Copy a page with ${words}" @click=${() => actions.copy('Page', pageSource(era, facts, page))}>${icon('copy')}Copy HTML</button>
    </li>`)}</ul>
  </section>`;
}
