// The ways to prove who one is: a form shows the fields of one of them, and buttons that lead to the others.

import { onClick } from './form.js';
import { canUsePasskeys, usePasskey } from './webauthn.js';

export const isUsable = (way) => way !== 'passkey' || canUsePasskeys();

export const focusCode = (form) => form.querySelector(':is([name=code], [name=recovery_code]):enabled')?.focus();

/**
 * Makes the buttons of `form` work, and returns the function that shows what the API calls `methods`. data-way names
 * the ways that a part of the form belongs to, data-take the way that a button leads to. `send({ credential })` sends a
 * passkey.
 */
export function prepareWays(form, purpose, send) {
  const passkey = form.querySelector('.passkey');
  onClick(passkey, async () => {
    const { credential } = await usePasskey(purpose);
    // Whoever has left meanwhile has not meant it.
    if (form.isConnected) await send({ credential });
  });
  let methods;
  const has = (way) => methods.includes(way) && isUsable(way);
  const take = (way) => {
    for (const part of form.querySelectorAll('[data-way]')) {
      part.hidden = !part.dataset.way.split(' ').includes(way);
      // What is disabled is not among the values of the form, and Enter does not press it.
      if (part.matches('button')) part.disabled = part.hidden;
      for (const input of part.querySelectorAll('input')) input.disabled = part.hidden;
    }
    for (const button of form.querySelectorAll('[data-take]')) {
      button.hidden = button.dataset.take === way || !has(button.dataset.take);
    }
    passkey.hidden = !has('passkey');
    passkey.classList.toggle('primary', way === 'passkey');
  };
  for (const button of form.querySelectorAll('[data-take]')) {
    button.addEventListener('click', () => {
      take(button.dataset.take);
      focusCode(form);
    });
  }
  return (offered) => {
    methods = offered;
    // With two factors, a password alone is not a way.
    const isEnough = !has('totp') && !has('recovery_code');
    take(['totp', isEnough && 'password', 'passkey', 'recovery_code', 'password'].find(has));
  };
}
