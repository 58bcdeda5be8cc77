// The panel beside the stage, on a phone a sheet over it: chat, people and events behind three tabs.
import { html, nothing, type TemplateResult } from 'lit';
import { TABS, type State, type Tab } from '../state.ts';
import type { Actions } from './actions.ts';
import { chatPanel } from './chat-panel.ts';
import { eventsPanel } from './events-panel.ts';
import { icon } from './icons.ts';
import { peoplePanel } from './people-panel.ts';

const TITLES: Readonly<Record<Tab, string>> = { chat: 'Chat', people: 'People', events: 'Events' };

export function sidePanel(state: State, actions: Actions): TemplateResult {
  return html`<button type="button" class="veil" tabindex="-1" aria-hidden="true" @click=${() => actions.togglePanel()}></button>
    <aside class="panel" id="panel" aria-label="Chat, people and events" ?inert=${!state.panelOpen}>
      <div class="panel-head">
        <div class="tabs" role="tablist" @keydown=${(event: KeyboardEvent) => stepTab(event, state.tab, actions)}>
          ${TABS.map((tab) => tabButton(tab, state, actions))}
        </div>
        <button type="button" class="round" data-kind="quiet" data-size="small" aria-label="Close" @click=${() => actions.togglePanel()}>${icon('close')}</button>
      </div>
      <section class="panel-body" role="tabpanel" id="panel-${state.tab}" aria-labelledby="tab-${state.tab}">
        ${panelBody(state, actions)}
      </section>
    </aside>`;
}

function panelBody(state: State, actions: Actions): TemplateResult {
  switch (state.tab) {
    case 'chat':
      return chatPanel(state, actions);
    case 'people':
      return peoplePanel(state, actions);
    case 'events':
      return eventsPanel(state, actions);
  }
}

function tabButton(tab: Tab, state: State, actions: Actions): TemplateResult {
  const isSelected = tab === state.tab;
  const count = tab === 'people' ? state.connections.length : tab === 'chat' ? state.unread : 0;
  return html`<button type="button" class="tab" role="tab" id="tab-${tab}" aria-controls=${isSelected ? `panel-${tab}` : nothing} aria-selected=${isSelected}
      tabindex=${isSelected ? 0 : -1} @click=${() => actions.openPanel(tab)}>
    ${TITLES[tab]}${count > 0 ? html`<span class="count" data-tone=${tab === 'chat' ? 'new' : 'quiet'}>${count}</span>` : nothing}
  </button>`;
}

/** Arrow keys walk through the tabs, as the pattern for tabs asks. */
function stepTab(event: KeyboardEvent, current: Tab, actions: Actions): void {
  const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
  const next = TABS[(TABS.indexOf(current) + step + TABS.length) % TABS.length];
  if (step === 0 || next === undefined) return;
  event.preventDefault();
  actions.openPanel(next);
  document.getElementById(`tab-${next}`)?.focus();
}
