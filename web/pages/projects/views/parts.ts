// Small things that stand in several places: a value with its copy button, a labelled field, an empty place.
import { html, nothing, type TemplateResult } from 'lit';
import { icon } from '../../playground/views/icons.ts';
import type { Actions } from './actions.ts';

export function copyButton(what: string, text: string, actions: Actions): TemplateResult {
  return html`<button type="button" class="round" data-kind="quiet" data-size="small" aria-label="Copy ${what}" title="Copy ${what}" @click=${() => actions.copy(what[0]?.toUpperCase() + what.slice(1), text)}>${icon('copy')}</button>`;
}

/** A value that is copied more often than read. */
export function value(label: string, what: string, text: string, actions: Actions, shown: string = text, more: unknown = nothing): TemplateResult {
  return html`<div class="value">
    <dt>${label}</dt>
    <dd><code>${shown}</code><span class="value-buttons">${more}${copyButton(what, text, actions)}</span></dd>
  </div>`;
}

export function select(label: string, name: string, options: readonly (readonly [value: string, words: string])[], chosen = ''): TemplateResult {
  return html`<label class="field"><span>${label}</span><select name=${name}>
    ${options.map(([value, words]) => html`<option value=${value} ?selected=${value === chosen}>${words}</option>`)}
  </select></label>`;
}

export function problemLine(problem: string | undefined): TemplateResult | typeof nothing {
  return problem ? html`<p class="problem" role="alert">${problem}</p>` : nothing;
}

export function waiting(): TemplateResult {
  return html`<p class="empty"><span class="spinner"></span> Loading…</p>`;
}
