// One project: its key and secret on top, and below them its sessions, its callbacks or its settings.
import { html, nothing, type TemplateResult } from 'lit';
import { icon } from '../../playground/views/icons.ts';
import type { Project } from '../api.ts';
import { addressOf, shownProject, TABS, type State, type Tab } from '../state.ts';
import { ago } from '../words.ts';
import type { Actions } from './actions.ts';
import { callbacksView } from './callbacks-view.ts';
import { value } from './parts.ts';
import { sessionView } from './session-view.ts';
import { sessionsView } from './sessions-view.ts';

const TITLES: Readonly<Record<Tab, string>> = { sessions: 'Sessions', callbacks: 'Callbacks', settings: 'Settings' };

export function projectView(state: State, actions: Actions, nowMs: number, page: URL): TemplateResult | typeof nothing {
  const project = shownProject(state);
  if (!project) return nothing;
  if (state.place.session) return sessionView(state, project, actions, nowMs, page);
  return html`
    <a class="back" href=${addressOf({ tab: 'sessions' })}>All projects</a>
    <div class="title">
      <h1 tabindex="-1" data-arrival>${project.name || 'Without a name'}</h1>
      ${project.status === 'SUSPENDED' ? html`<span class="tag" data-kind="warning">suspended</span>` : nothing}
    </div>
    <dl class="card values">
      ${value('API key', 'API key', project.apiKey, actions)}
      ${value('API secret', 'API secret', project.apiSecret, actions, state.showsSecret ? project.apiSecret : '•'.repeat(24), eye(state.showsSecret, actions))}
      ${value('API address', 'API address', new URL('.', page).href.replace(/\/$/, ''), actions)}
    </dl>
    <nav class="tabs" aria-label="Of this project">
      ${TABS.map((tab) => html`<a href=${addressOf({ key: project.apiKey, tab })} aria-current=${tab === state.place.tab ? 'page' : 'false'}>${TITLES[tab]}</a>`)}
    </nav>
    ${tabView(state, project, actions, nowMs)}`;
}

function eye(shown: boolean, actions: Actions): TemplateResult {
  const words = shown ? 'Hide the secret' : 'Show the secret';
  return html`<button type="button" class="round" data-kind="quiet" data-size="small" aria-label=${words} title=${words} aria-pressed=${shown} @click=${() => actions.showSecret(!shown)}>${icon('watch')}</button>`;
}

function tabView(state: State, project: Project, actions: Actions, nowMs: number): TemplateResult {
  switch (state.place.tab) {
    case 'sessions':
      return sessionsView(state, project, actions, nowMs);
    case 'callbacks':
      return callbacksView(state, actions, nowMs);
    case 'settings':
      return settingsView(project, actions, nowMs);
  }
}

function settingsView(project: Project, actions: Actions, nowMs: number): TemplateResult {
  const isSuspended = project.status === 'SUSPENDED';
  return html`
    <p class="muted">Made ${ago(project.createdAtMs, nowMs)}.${project.isConfigured ? ' It stands in the server’s configuration file: its name, secret and end are set there.' : ''}</p>
    <ul class="card settings">
      <li><div><h2>Name</h2><p>For people alone.</p></div>
        <button type="button" class="button" ?disabled=${project.isConfigured} @click=${() => actions.ask({ name: 'rename', project })}>Rename</button></li>
      <li><div><h2>Session ids of another server</h2><p>${project.acceptKnownKeys ? 'Ids that name this key are taken in on their first use.' : 'Ids that were not made here are refused.'}</p></div>
        <button type="button" class="button" ?disabled=${project.isConfigured} @click=${() => actions.changeProject(project, { acceptKnownKeys: !project.acceptKnownKeys }, project.acceptKnownKeys ? 'Unknown ids are refused' : 'Known keys are accepted')}>${project.acceptKnownKeys ? 'Refuse them' : 'Take them in'}</button></li>
      <li><div><h2>Secret</h2><p>A new one makes every token of the old one useless, at once.</p></div>
        <button type="button" class="button" ?disabled=${project.isConfigured} @click=${() => actions.ask({ name: 'rotate', project })}>Rotate secret</button></li>
      <li><div><h2>${isSuspended ? 'Suspended' : 'Active'}</h2><p>${isSuspended ? 'Calls and new clients are refused.' : 'A suspended project serves no call and lets no new client in.'}</p></div>
        ${isSuspended ? html`<button type="button" class="button" data-kind="primary" @click=${() => actions.changeProject(project, { status: 'ACTIVE' }, 'The project is active')}>Activate</button>` : html`<button type="button" class="button" @click=${() => actions.ask({ name: 'suspend', project })}>Suspend</button>`}</li>
      <li><div><h2>Delete</h2><p>Its sessions go with it, and whoever is in one is sent out.</p></div>
        <button type="button" class="button" data-kind="danger" ?disabled=${project.isConfigured} @click=${() => actions.ask({ name: 'delete', project })}>Delete project</button></li>
    </ul>`;
}
