// A project's sessions: those in which somebody is, and the newest of the others.
import { html, type TemplateResult } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import type { Project, SessionRow } from '../api.ts';
import { addressOf, type State } from '../state.ts';
import { ago, count, shortId } from '../words.ts';
import type { Actions } from './actions.ts';
import { waiting } from './parts.ts';

export function sessionsView({ sessions }: State, project: Project, actions: Actions, nowMs: number): TemplateResult {
  const row = (session: SessionRow): TemplateResult => sessionRow(session, project, nowMs);
  return html`
    <div class="section-head"><h2>Live now</h2>
      <button type="button" class="button" data-kind="primary" @click=${() => actions.ask({ name: 'create-session' })}>New session</button></div>
    ${sessions ? html`
      ${sessions.live.length ? html`<ul class="card rows">${repeat(sessions.live, ({ sessionId }) => sessionId, row)}</ul>` : html`<p class="empty">Nobody is in a session.</p>`}
      <div class="section-head"><h2>Newest</h2></div>
      ${sessions.others.length ? html`<ul class="card rows">${repeat(sessions.others, ({ sessionId }) => sessionId, row)}</ul>` : html`<p class="empty">${sessions.live.length ? 'There are no others.' : 'There are no sessions yet.'}</p>`}
    ` : waiting()}`;
}

function sessionRow(session: SessionRow, project: Project, nowMs: number): TemplateResult {
  const { sessionId, connections, streams } = session;
  return html`<li><a href=${addressOf({ key: project.apiKey, tab: 'sessions', session: sessionId })}>
    <code title=${sessionId}>${shortId(sessionId)}</code>
    <span class="row-more"><span class="tag" data-kind="plain">${session.mediaMode}</span>${session.archiveMode === 'always' ? html`<span class="tag" data-kind="plain">archived</span>` : ''}${session.e2ee ? html`<span class="tag" data-kind="plain">encrypted</span>` : ''}</span>
    <span class="row-end">${connections ? html`<span class="tag">${count(connections, 'connection')}, ${count(streams, 'stream')}</span>` : html`<span class="muted">${ago(session.createdAtMs, nowMs)}</span>`}</span>
  </a></li>`;
}
