/** The full-page notice for browsers without WebRTC. */

/** Shows the notice once, with a button that takes it away, in an element with that id. */
export function showRequirements(id = 'OT_requirements'): void {
  if (document.getElementById(id) !== null) return;
  const notice = document.createElement('div');
  notice.id = id;
  notice.setAttribute('role', 'alertdialog');
  notice.style.cssText =
    'position:fixed;inset:0;z-index:2147483647;display:grid;place-content:center;gap:16px;padding:24px;' +
    'background:#14181f;color:#f4f6f8;font:500 18px/1.5 system-ui,sans-serif;text-align:center';
  const words = document.createElement('p');
  words.textContent = 'This browser cannot make video calls. Use a current version of Chrome, Edge, Firefox or Safari.';
  const close = document.createElement('button');
  close.type = 'button';
  close.textContent = 'Close';
  close.style.cssText = 'justify-self:center;padding:8px 20px;border:0;border-radius:8px;font:inherit;cursor:pointer';
  close.addEventListener('click', () => {
    notice.remove();
  });
  notice.append(words, close);
  document.body.append(notice);
  close.focus();
}
