// The whole page: its head, and below it the sign-in form or the projects with the one that is shown.
import { html, nothing, type TemplateResult } from 'lit';
import { icon, sign } from '../../playground/views/icons.ts';
import { addressOf, shownProject, type State } from '../state.ts';
import { valuesOf, type Actions } from './actions.ts';
import { dialogView } from './dialogs.ts';
import { problemLine, waiting } from './parts.ts';
import { projectList } from './project-list.ts';
import { projectView } from './project-view.ts';

export function appView(state: State, actions: Actions, nowMs: number, page: URL): TemplateResult {
  return html`<div class="page">
    <header class="head">
      <a class="wordmark" href=${addressOf({ tab: 'sessions' })}>${sign()}<span>tertulia</span><span class="wordmark-more">projects</span></a>
      <nav aria-label="Elsewhere">
        <a class="chip" href="playground">Playground</a><a class="chip" href="docs">Documents</a>
        ${state.phase === 'ready' && state.hasPassword ? html`<button type="button" class="chip" @click=${() => actions.signOut()}>Sign out</button>` : nothing}
      </nav>
    </header>
    ${body(state, actions, nowMs, page)}
    ${dialogView(state, actions)}
    <div class="notices" aria-live="polite">${state.notice ? html`<p class="toast">${state.notice}</p>` : nothing}</div>
  </div>`;
}

function body(state: State, actions: Actions, nowMs: number, page: URL): TemplateResult {
  switch (state.phase) {
    case 'loading':
      return html`<main class="alone">${waiting()}</main>`;
    case 'failed':
      return html`<main class="alone"><h1>Something is wrong</h1>${problemLine(state.problem)}
        <button type="button" class="button" @click=${() => actions.retry()}>Try again</button></main>`;
    case 'signed-out':
      return signInView(state, actions);
    case 'ready':
      return html`<div class="columns" data-shows=${state.place.key ? 'project' : 'list'}>
        ${projectList(state, actions)}
        <main>
          ${state.dialog ? nothing : problemBar(state, actions)}
          ${shownProject(state) ? projectView(state, actions, nowMs, page) : beginning(state, actions)}
        </main>
      </div>`;
  }
}

function problemBar({ problem }: State, actions: Actions): TemplateResult | typeof nothing {
  if (!problem) return nothing;
  return html`<div class="bar" role="alert">${icon('warning')}<p>${problem}</p>
    <button type="button" class="round" data-kind="quiet" data-size="small" aria-label="Dismiss" @click=${() => actions.dismiss()}>${icon('close')}</button></div>`;
}

function beginning({ place, projects }: State, actions: Actions): TemplateResult {
  if (place.key) return html`<div class="empty"><h1 tabindex="-1" data-arrival>No such project</h1><p>It may have been deleted.</p><a class="button" href=${addressOf({ tab: 'sessions' })}>All projects</a></div>`;
  return html`<div class="empty beginning">
    <h1 tabindex="-1" data-arrival>${projects.length ? 'Choose a project' : 'Make your first project'}</h1>
    <p>A project has a key and a secret. Your application's server makes sessions and tokens with them.</p>
    <button type="button" class="button" data-kind="primary" @click=${() => actions.ask({ name: 'create-project' })}>New project</button>
  </div>`;
}

function signInView({ hasPassword, problem, isBusy }: State, actions: Actions): TemplateResult {
  if (!hasPassword) {
    return html`<main class="alone">
      <h1>No password is set</h1>
      <p>Make a hash of a password on the server's machine, put it into its configuration, and start it again:</p>
      <pre><code>tertulia password</code></pre>
      <pre><code>[operator]
password_hash = "scrypt:…"</code></pre>
    </main>`;
  }
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    actions.signIn(valuesOf(event)['password'] ?? '');
  };
  return html`<main class="alone">
    <h1>Sign in</h1>
    <form @submit=${submit}>
      <input type="text" name="username" value="operator" autocomplete="username" hidden />
      <label class="field"><span>The operator's password</span><input type="password" name="password" autocomplete="current-password" required autofocus maxlength="1024" /></label>
      ${problemLine(problem)}
      <button class="button" data-kind="primary" ?disabled=${isBusy}>${isBusy ? 'Signing in…' : 'Sign in'}</button>
    </form>
  </main>`;
}
