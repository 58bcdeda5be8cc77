// A person without a picture: initials on a colour of their own.
import { html, type TemplateResult } from 'lit';
import { hueOf, initials } from '../names.ts';

export function avatar(id: string, name: string): TemplateResult {
  return html`<span class="avatar" aria-hidden="true" style="--hue: ${hueOf(id)}">${initials(name)}</span>`;
}
