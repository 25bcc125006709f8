// The second step of a login: the password was right, and a second factor is on.

import { Problem, send } from './api.js';
import { copy } from './dom.js';
import { onClick, onSubmit } from './form.js';
import { go } from './router.js';
import { logIn } from './session.js';
import { config, link } from './site.js';
import { isUsable, prepareWays } from './ways.js';

/** The server knows how far the login has come, so a page that is loaded in the middle goes on there. */
export async function secondStep(next) {
  const back = (message) => go(link('login', { next }), message, 'replaceState');
  const orBack = (problem) => {
    if (problem.tries_left === 0) return back(`${problem.detail} Please log in again.`);
    if (problem.code === 'step_expired') return back(problem.detail);
    throw problem;
  };
  const page = copy('second-factor');
  const form = page.querySelector('form');
  const verify = async (proof) => {
    try {
      const body = { ...proof, trust_device: form.elements.trust_device.checked };
      const { redirect_to, recovery_codes_left: left } = await logIn('/api/login/second-factor', body);
      await go(redirect_to, proof.recovery_code && `You have used a recovery code. Codes left: ${left}.`);
    } catch (problem) {
      // Somebody has logged in in another tab.
      if (problem.code === 'already_authenticated') return go('/');
      return orBack(withTries(problem, Object.keys(proof)[0]));
    }
  };

  form.querySelector('.check').hidden = config.trust_device_seconds === 0;
  const offer = prepareWays(form, 'second_factor', verify);
  onSubmit(form, ({ code, recovery_code }) => verify(code === undefined ? { recovery_code } : { code }));
  onClick(page.querySelector('#cancel'), async () => {
    await send('DELETE', '/api/login/step');
    await back();
  });
  const show = ({ kind, methods }) => {
    if (kind === 'choose_username') return go(link('register', { step: kind }), undefined, 'replaceState');
    if (!methods.some(isUsable)) return back('This browser has none of your second factors. Please use another one.');
    offer(methods);
    return page;
  };
  return send('GET', '/api/login/step').then(show, orBack);
}

/** A wrong code is told beside its field, with how many tries are left. */
function withTries(problem, field) {
  if (problem.code !== 'invalid_code') return problem;
  const message = `${problem.detail} Tries left: ${problem.tries_left}.`;
  return new Problem({ ...problem, errors: { [field]: [{ message }] } });
}
