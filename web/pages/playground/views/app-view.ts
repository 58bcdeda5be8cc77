// The whole page.
import { html, type TemplateResult } from 'lit';
import { controlBar } from './control-bar';
import { headerView } from './header-view';
import { sidePanel } from './side-panel';
import { stageView, type StageParts } from './stage-view';
import { toastsView } from './toasts-view';

export function appView(parts: StageParts): TemplateResult {
  const { state, actions } = parts;
  return html`<div class="app" data-panel=${state.panelOpen ? 'open' : 'closed'}>
    ${headerView(state)} ${stageView(parts)} ${controlBar(state, actions)} ${sidePanel(state, actions)} ${toastsView(state, actions)}
  </div>`;
}
