// What the stage says while there is nothing to see: joining, left, failed, or the form.
import { html, type TemplateResult } from 'lit';
import type { State } from '../state.ts';
import { endingWords, type Words } from '../words.ts';
import type { Actions } from './actions.ts';
import { icon, type IconName } from './icons.ts';
import { joinForm } from './join-form.ts';

export function noticeView(state: State, actions: Actions): TemplateResult {
  const { phase } = state;
  switch (phase.name) {
    case 'asking':
      return html`<div class="notice">${joinForm(phase.typed, actions)}</div>`;
    case 'left': {
      const isRemoved = phase.reason === 'forceDisconnected';
      return card(endingWords(phase.reason), isRemoved ? 'removed' : 'leave', actions, `reason: ${phase.reason}`);
    }
    case 'failed':
      return card(phase.words, 'warning', actions);
    default:
      return html`<div class="notice"><p class="joining"><span class="spinner"></span>Joining the session…</p></div>`;
  }
}

function card({ title, text }: Words, sign: IconName, actions: Actions, fact = ''): TemplateResult {
  return html`<div class="notice">
    <section class="card" role="alert">
      <span class="card-sign">${icon(sign)}</span>
      <h2>${title}</h2>
      <p>${text}</p>
      <button type="button" class="button" data-kind="primary" @click=${() => actions.join()}>${icon('join')}Join again</button>
      <p class="card-fact">${fact}</p>
    </section>
  </div>`;
}
