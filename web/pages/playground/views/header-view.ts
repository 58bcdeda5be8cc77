// The head of the page: the wordmark, in one pill how the connection stands, and in another that the network is made bad.
import { html, nothing, type TemplateResult } from 'lit';
import type { Phase, State } from '../state.ts';
import { endingWords } from '../words.ts';
import { sign } from './icons.ts';

export function headerView(state: State): TemplateResult {
  return html`<header class="head">
    <h1 class="wordmark">${sign()}<span>tertulia</span></h1>
    ${state.impair === undefined ? nothing : html`<p class="pill pill-impaired" title="tertulia dev --impair ${state.impair}"><span class="pill-text">Bad network<span class="pill-more"> on purpose: ${state.impair}</span></span></p>`}
    <p class="pill" role="status" data-phase=${state.phase.name}><span class="pill-dot"></span><span class="pill-text">${phaseWords(state.phase)}</span></p>
  </header>`;
}

function phaseWords(phase: Phase): string {
  switch (phase.name) {
    case 'starting':
    case 'connecting':
      return 'Connecting…';
    case 'asking':
      return 'Not connected';
    case 'connected':
      return 'Connected';
    case 'reconnecting':
      return 'Reconnecting…';
    case 'left':
      return endingWords(phase.reason).short;
    case 'failed':
      return phase.words.title;
  }
}
