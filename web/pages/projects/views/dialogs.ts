// What the operator is asked: forms for new things, and a word before what cannot be undone.
import { html, nothing, type TemplateResult } from 'lit';
import type { Dialog, State } from '../state.ts';
import { valuesOf, type Actions } from './actions.ts';
import { problemLine, select } from './parts.ts';

const MEDIA = [['routed', 'Routed: through this server'], ['relayed', 'Relayed: two clients directly, where possible']] as const;
const ARCHIVES = [['manual', 'By hand'], ['always', 'Always, from the first stream']] as const;
const SIZES = [['', '640×480'], ['1280x720', '1280×720'], ['1920x1080', '1920×1080'], ['480x640', '480×640'], ['720x1280', '720×1280'], ['1080x1920', '1080×1920']] as const;

export function dialogView(state: State, actions: Actions): TemplateResult | typeof nothing {
  const { dialog } = state;
  if (!dialog) return nothing;
  const { title, text, fields, button, kind, submit } = contents(dialog, state, actions);
  return html`<dialog aria-labelledby="dialog-title" @cancel=${(event: Event) => closed(event, actions)}>
    <form @submit=${(event: SubmitEvent) => submit(valuesOf(event))}>
      <h2 id="dialog-title">${title}</h2>
      ${text ? html`<p>${text}</p>` : nothing}
      ${fields ?? nothing}
      ${problemLine(state.problem)}
      <div class="dialog-buttons">
        <button type="button" class="button" @click=${() => actions.close()}>Cancel</button>
        <button class="button" data-kind=${kind ?? 'primary'} ?disabled=${state.isBusy}>${button}</button>
      </div>
    </form>
  </dialog>`;
}

interface Contents {
  readonly title: string;
  readonly text?: string;
  readonly fields?: TemplateResult;
  readonly button: string;
  readonly kind?: 'danger';
  readonly submit: (values: Record<string, string>) => void;
}

function contents(dialog: Dialog, state: State, actions: Actions): Contents {
  switch (dialog.name) {
    case 'create-project':
      return createProject(actions);
    case 'create-session':
      return createSession(actions);
    case 'register':
      return register(state, actions);
    case 'rename':
      return {
        title: 'Rename the project',
        fields: html`<label class="field"><span>Name</span><input name="name" maxlength="200" .value=${dialog.project.name} autofocus autocomplete="off" /></label>`,
        button: 'Rename',
        submit: ({ name = '' }) => actions.changeProject(dialog.project, { name }, 'Renamed'),
      };
    case 'rotate':
      return {
        title: 'Give the project a new secret?',
        text: 'Your application’s server needs the new one at once: every call and every token of the old one is refused from then on.',
        button: 'Rotate secret',
        kind: 'danger',
        submit: () => actions.rotate(dialog.project),
      };
    case 'suspend':
      return {
        title: 'Suspend the project?',
        text: 'Its calls and new clients are refused until you activate it again. Who is in a session stays there.',
        button: 'Suspend',
        kind: 'danger',
        submit: () => actions.changeProject(dialog.project, { status: 'SUSPENDED' }, 'The project is suspended'),
      };
    case 'delete':
      return {
        title: `Delete ${dialog.project.name || dialog.project.apiKey}?`,
        text: 'Its sessions are gone for good, and whoever is in one is sent out.',
        fields: html`<label class="field"><span>Type the key ${dialog.project.apiKey} to go on</span><input name="key" inputmode="numeric" pattern=${dialog.project.apiKey} required autofocus autocomplete="off" /></label>`,
        button: 'Delete project',
        kind: 'danger',
        submit: () => actions.deleteProject(dialog.project),
      };
    case 'kick':
      return {
        title: `Remove ${dialog.who}?`,
        text: 'The client is told that it was removed, and so are the others. With a token that is still good it can come back.',
        button: 'Remove',
        kind: 'danger',
        submit: () => actions.kick(dialog.connectionId),
      };
  }
}

function createProject(actions: Actions): Contents {
  return {
    title: 'New project',
    fields: html`<label class="field"><span>Name</span><input name="name" maxlength="200" placeholder="Our product" autofocus autocomplete="off" /></label>
      <details><summary>Keep a key and a secret that you have</summary>
        <label class="field"><span>API key</span><input name="apiKey" inputmode="numeric" pattern="[1-9][0-9]{7,9}" title="8 to 10 digits" autocomplete="off" /></label>
        <label class="field"><span>API secret</span><input name="apiSecret" pattern="[0-9a-f]{40}" title="40 hexadecimal digits" autocomplete="off" spellcheck="false" /></label>
        <label class="check"><input type="checkbox" name="acceptKnownKeys" value="yes" /><span>Take session ids in that another server made with this key</span></label>
      </details>`,
    button: 'Create project',
    submit: ({ name = '', apiKey = '', apiSecret = '', acceptKnownKeys }) =>
      actions.createProject({ name, ...(apiKey && { apiKey }), ...(apiSecret && { apiSecret }), acceptKnownKeys: acceptKnownKeys === 'yes' }),
  };
}

function createSession(actions: Actions): Contents {
  return {
    title: 'New session',
    fields: html`${select('Media', 'mediaMode', MEDIA)}
      ${select('Archive', 'archiveMode', ARCHIVES)}
      <details><summary>More</summary>
        <label class="field"><span>Name of the archive, if it is always made</span><input name="archiveName" maxlength="80" autocomplete="off" /></label>
        ${select('Size of the archive, if it is always made', 'archiveResolution', SIZES)}
        <label class="check"><input type="checkbox" name="e2ee" value="yes" /><span>Clients encrypt end to end</span></label>
      </details>`,
    button: 'Create session',
    submit: ({ mediaMode = 'routed', archiveMode = 'manual', archiveName = '', archiveResolution = '', e2ee }) =>
      actions.createSession({ mediaMode, archiveMode, archiveName, archiveResolution, e2ee: e2ee === 'yes' }),
  };
}

function register({ callbacks }: State, actions: Actions): Contents {
  const events = Object.entries(callbacks?.events ?? {}).flatMap(([group, names]) => names.map((name) => [`${group} ${name}`, `${group} ${name}`] as const));
  return {
    title: 'New callback',
    text: 'Each such event is posted to the address as JSON, signed.',
    fields: html`${select('Event', 'event', events)}
      <label class="field"><span>Address</span><input name="url" type="url" required maxlength="2048" placeholder="https://app.example.org/events" autofocus autocomplete="off" /></label>`,
    button: 'Register',
    submit: ({ event = '', url = '' }) => {
      const [group = '', name = ''] = event.split(' ');
      actions.register({ group, event: name, url });
    },
  };
}

/** Escape and the phone's back gesture: the state closes it, not the browser. */
function closed(event: Event, actions: Actions): void {
  event.preventDefault();
  actions.close();
}
