// Short news above everything else: notices go by themselves, problems wait until they were read.
import { html, type TemplateResult } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import type { State } from '../state.ts';
import type { Actions } from './actions.ts';
import { icon } from './icons.ts';

export function toastsView({ toasts }: State, actions: Actions): TemplateResult {
  return html`<div class="toasts" aria-live="polite">
    ${repeat(toasts, ({ id }) => id, ({ id, kind, words }) => html`<section class="toast" data-kind=${kind} role=${kind === 'problem' ? 'alert' : 'status'}>
      <div><h2>${words.title}</h2><p>${words.text}</p></div>
      <button type="button" class="round" data-kind="quiet" data-size="small" aria-label="Dismiss" @click=${() => actions.dismiss(id)}>${icon('close')}</button>
    </section>`)}
  </div>`;
}
