// The whole page.
import { html, type TemplateResult } from 'lit';
import { controlBar } from './control-bar.ts';
import { headerView } from './header-view.ts';
import { sidePanel } from './side-panel.ts';
import { stageView, type StageParts } from './stage-view.ts';
import { toastsView } from './toasts-view.ts';

export function appView(parts: StageParts): TemplateResult {
  const { state, actions } = parts;
  return html`<div class="app" data-panel=${state.panelOpen ? 'open' : 'closed'}>
    ${headerView(state)} ${stageView(parts)} ${controlBar(state, actions)} ${sidePanel(state, actions)} ${toastsView(state, actions)}
  </div>`;
}
