// Fills the templates of index.html, and shows flash messages.

import { link } from './site.js';
import { ago } from './words.js';

/**
 * A copy of a template's element. `data` fills data-text, data-time and data-value;
 * data-if="key" shows an element if that is true, data-if="!key" if it is not.
 */
export function copy(template, data = {}) {
  const element = document.getElementById(template).content.firstElementChild.cloneNode(true);
  for (const part of [element, ...element.querySelectorAll('*')]) {
    const { text, time, value, if: condition, page } = part.dataset;
    if (text) part.textContent = data[text] ?? '';
    if (value) part.value = data[value] ?? '';
    if (time) showTime(part, data[time]);
    if (condition) part.hidden = condition[0] === '!' ? data[condition.slice(1)] : !data[condition];
    if (page) part.href = link(page);
  }
  return element;
}

function showTime(element, time) {
  element.textContent = time ? ago(time) : 'Never';
  if (!time) return;
  element.dateTime = time;
  element.title = new Date(time).toLocaleString('en', { dateStyle: 'long', timeStyle: 'short' });
}

const flashes = document.getElementById('flash');

/**
 * Shows a message above the page, in place of the former ones: texts and elements, or a problem. It stays until the next
 * page, or until dismissed.
 */
export function flash(...parts) {
  const [first] = parts;
  const isProblem = first instanceof Error;
  const box = Object.assign(document.createElement('p'), { className: isProblem ? 'bad' : '' });
  const dismiss = Object.assign(document.createElement('button'), { className: 'dismiss', ariaLabel: 'Dismiss' });
  dismiss.addEventListener('click', () => box.remove());
  box.append(...(isProblem ? [first.detail] : parts), dismiss);
  flashes.replaceChildren(box);
}

export function clearFlash() {
  flashes.replaceChildren();
}

/** Shows what an answer says of a mail. In development, mails stay on this machine, so it also says where. */
export async function flashMail({ message }) {
  flash(message);
  if (!['localhost', '127.0.0.1', '[::1]'].includes(location.hostname)) return;
  const mailbox = await fetch('/dev/mailbox', { method: 'HEAD' }).catch(() => ({ ok: false }));
  if (!mailbox.ok) return;
  const open = Object.assign(document.createElement('a'), { href: '/dev/mailbox', textContent: 'Open the mailbox' });
  flash(message, ' ', open);
}
