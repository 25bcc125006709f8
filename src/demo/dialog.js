// Dialogs: each is a copy of a template, and gone when it is closed.

import { Problem } from './api.js';
import { copy } from './dom.js';

/**
 * Opens a dialog that `prepare(dialog)` makes work. Resolves with the value that it is closed with, and fails with the
 * code `cancelled` if there is none.
 */
export function openDialog(template, data, prepare = () => {}) {
  const dialog = copy(template, data);
  dialog.querySelector('[value=cancel]')?.addEventListener('click', () => dialog.close());
  prepare(dialog);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve, reject) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      if (dialog.returnValue) resolve(dialog.returnValue);
      else reject(new Problem({ code: 'cancelled' }));
    });
  });
}

/** Asks whether to do what cannot be undone. `button` is what to do, in a word or two. */
export function confirm(title, text, button) {
  return openDialog('confirm', { title, text, button });
}

/** Shows recovery codes, for the only time. */
export function showCodes(codes, of) {
  return openDialog('codes', { of }, (dialog) => {
    // For browsers that do not know `closedby`.
    dialog.addEventListener('cancel', (event) => event.preventDefault());
    const items = codes.map((code) => Object.assign(document.createElement('li'), { textContent: code }));
    dialog.querySelector('ul').append(...items);
    const copyAll = dialog.querySelector('#copy-codes');
    copyAll.addEventListener('click', async () => {
      const isDone = await navigator.clipboard?.writeText(codes.join('\n')).then(() => true, () => false);
      copyAll.textContent = isDone ? 'Copied' : 'Please copy them by hand';
    });
    dialog.querySelector('#print-codes').addEventListener('click', () => print());
  });
}
