// The chat: signals of type `chat`, shown as text.
import { html, nothing, type TemplateResult } from 'lit';
import { clockTime } from '../event-log.ts';
import { maySignal } from '../roles.ts';
import type { Message, State } from '../state.ts';
import type { Actions } from './actions.ts';
import { icon } from './icons.ts';

/** Well below the 8 KB that a signal may carry, in any script. */
const LONGEST = 2000;

export function chatPanel(state: State, actions: Actions): TemplateResult {
  return html`<ol class="messages" role="log" aria-label="Messages" data-keep-end tabindex="0">
      ${state.messages.length === 0
        ? html`<li class="empty">${icon('chat')}<p>No messages yet. Everybody in the session reads what you write; nothing is kept for those who come later.</p></li>`
        : state.messages.map((message, index) => messageView(message, state.messages[index - 1]))}
    </ol>
    ${maySignal(state.role) ? composer(state, actions) : html`<p class="panel-foot muted">Your role may not send messages.</p>`}`;
}

function messageView(message: Message, before: Message | undefined): TemplateResult {
  const isFirst = before?.name !== message.name || before.own !== message.own;
  const time = clockTime(message.at).slice(0, 5);
  return html`<li class="message" data-own=${message.own} data-first=${isFirst}>
    ${isFirst ? html`<p class="message-head">${message.own ? nothing : html`<span class="message-name">${message.name}</span>`}<time>${time}</time></p>` : nothing}
    <p class="bubble">${message.text}</p>
  </li>`;
}

function composer(state: State, actions: Actions): TemplateResult {
  const isIn = state.phase.name === 'connected' || state.phase.name === 'reconnecting';
  const send = (box: HTMLTextAreaElement): void => {
    const text = box.value.trim();
    if (text === '' || !isIn) return;
    actions.chat(text);
    box.value = '';
  };
  return html`<form class="composer panel-foot" @submit=${(event: SubmitEvent) => {
    event.preventDefault();
    const box = (event.currentTarget as HTMLFormElement).querySelector('textarea');
    if (box) send(box);
  }}>
    <textarea rows="1" maxlength=${LONGEST} aria-label="Message" placeholder=${isIn ? 'Write a message' : 'Join to write'} enterkeyhint="send" autocomplete="off" ?disabled=${!isIn}
      @keydown=${(event: KeyboardEvent) => {
        if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
        event.preventDefault();
        send(event.currentTarget as HTMLTextAreaElement);
      }}></textarea>
    <button type="submit" class="round" data-kind="primary" data-size="small" aria-label="Send" ?disabled=${!isIn}>${icon('send')}</button>
  </form>`;
}
