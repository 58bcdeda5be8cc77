// All projects, beside the one that is shown.
import { html, type TemplateResult } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import type { Project } from '../api.ts';
import { addressOf, type State } from '../state.ts';
import type { Actions } from './actions.ts';

export function projectList({ projects, place }: State, actions: Actions): TemplateResult {
  return html`<nav class="list" aria-label="Projects">
    <div class="list-head">
      <h2>Projects</h2>
      <button type="button" class="button" @click=${() => actions.ask({ name: 'create-project' })}>New project</button>
    </div>
    <ul>${repeat(projects, ({ apiKey }) => apiKey, (project) => row(project, project.apiKey === place.key))}</ul>
  </nav>`;
}

function row(project: Project, isShown: boolean): TemplateResult {
  return html`<li><a href=${addressOf({ key: project.apiKey, tab: 'sessions' })} aria-current=${isShown ? 'page' : 'false'}>
    <span class="list-name">${project.name || 'Without a name'}</span>
    <span class="list-more"><code>${project.apiKey}</code>${project.status === 'SUSPENDED' ? html`<span class="tag" data-kind="warning">suspended</span>` : ''}</span>
  </a></li>`;
}
