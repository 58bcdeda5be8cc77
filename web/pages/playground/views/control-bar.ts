// The bar at the foot: who one is, what one sends, and the ways out and in.
import { html, nothing, type TemplateResult } from 'lit';
import { nameOf } from '../people.ts';
import { mayPublish, ROLE_WORDS } from '../roles.ts';
import type { State } from '../state.ts';
import type { Actions } from './actions.ts';
import { avatar } from './avatar.ts';
import { icon } from './icons.ts';

export function controlBar(state: State, actions: Actions): TemplateResult {
  const isIn = state.phase.name === 'connected' || state.phase.name === 'reconnecting';
  return html`<footer class="bar">
    ${identity(state, actions)}
    <div class="bar-middle" role="group" aria-label="Call">
      ${mayPublish(state.role) ? [microphoneButton(state, actions, isIn), cameraButton(state, actions, isIn)] : nothing}
      ${isIn
        ? html`<button type="button" class="round" data-kind="danger" aria-label="Leave" title="Leave" @click=${() => actions.leave()}>${icon('leave')}</button>`
        : html`<button type="button" class="round" data-kind="primary" aria-label="Join" title="Join" ?disabled=${state.phase.name === 'connecting' || state.phase.name === 'starting' || state.phase.name === 'asking'} @click=${() => actions.join()}>${icon('join')}</button>`}
    </div>
    <div class="bar-end">
      <button type="button" class="round" data-kind="quiet" aria-label="Copy invite link" title="Copy invite link" ?disabled=${!isIn} @click=${() => actions.copyInvite()}>${icon('link')}</button>
      <button type="button" class="round" data-kind="quiet" aria-label="Chat, people and events" title="Chat, people and events" aria-expanded=${state.panelOpen} aria-controls="panel" @click=${() => actions.togglePanel()}>
        ${icon('chat')}${state.unread > 0 ? html`<span class="badge" aria-label="${state.unread} unread messages">${state.unread}</span>` : nothing}
      </button>
    </div>
  </footer>`;
}

function identity(state: State, actions: Actions): TemplateResult {
  const name = nameOf(state, state.me ?? '') || state.myName;
  return html`<button type="button" class="identity" title="Change your name" @click=${() => actions.openPanel('people')}>
    ${avatar(state.me ?? state.myName, name)}
    <span class="identity-text">
      <span class="identity-name">${name}</span>
      <span class="role" data-role=${state.role} title=${ROLE_WORDS[state.role].does}>${ROLE_WORDS[state.role].title}</span>
    </span>
  </button>`;
}

function microphoneButton({ own }: State, actions: Actions, isIn: boolean): TemplateResult {
  const isOn = own.state !== 'off' && own.audio && own.hasMicrophone;
  const isMissing = own.state !== 'off' && !own.hasMicrophone;
  const label = isMissing ? 'No microphone' : isOn ? 'Mute microphone' : 'Unmute microphone';
  return html`<button type="button" class="round" data-off=${isIn && !isOn} aria-label=${label} title="${label} (M)" ?disabled=${!isIn || isMissing} @click=${() => actions.toggle('audio')}>
    ${icon(isOn ? 'microphone' : 'microphoneOff')}
  </button>`;
}

function cameraButton({ own }: State, actions: Actions, isIn: boolean): TemplateResult {
  const isOn = own.state !== 'off' && own.video && own.hasCamera;
  const isMissing = own.state !== 'off' && !own.hasCamera;
  const label = isMissing ? 'No camera' : isOn ? 'Turn camera off' : 'Turn camera on';
  return html`<button type="button" class="round" data-off=${isIn && !isOn} aria-label=${label} title="${label} (V)" ?disabled=${!isIn || isMissing} @click=${() => actions.toggle('video')}>
    ${icon(isOn ? 'camera' : 'cameraOff')}
  </button>`;
}
