// The pages of somebody who is not logged in: login, register, forgotten password.

import { send } from './api.js';
import { offerPasskeys } from './autofill.js';
import { copy, flashMail } from './dom.js';
import { onSubmit } from './form.js';
import { chooseUsername } from './newcomer.js';
import { offerProviders } from './providers.js';
import { go } from './router.js';
import { logIn } from './session.js';
import { config, link, parameter, passwordRules } from './site.js';
import { secondStep } from './step.js';

/** Somebody may have logged in in another tab. */
function orHome(problem) {
  if (problem.code === 'already_authenticated') return go('/');
  throw problem;
}

export function login() {
  const next = parameter('next');
  if (parameter('step')) return secondStep(next);
  const page = copy('login');
  page.querySelector('[data-page=register]').href = link('register', { next });
  const form = page.querySelector('form');
  const enter = async (path, proof) => {
    try {
      const remember_me = form.elements.remember_me.checked;
      const { redirect_to } = await logIn(path, { ...proof, remember_me, next });
      await go(redirect_to);
    } catch (problem) {
      if (problem.code === 'second_factor_required') return go(link('login', { next, step: 'second_factor' }));
      form.querySelector('.resend').hidden = problem.code !== 'email_not_verified';
      return orHome(problem);
    }
  };
  onSubmit(form, ({ username, password }) => enter('/api/login', { username, password }));
  offerProviders(form, () => ({ next, remember_me: form.elements.remember_me.checked }), orHome);
  offerPasskeys(form, (credential) => enter('/api/passkeys/authentication/verify', { credential }));
  return page;
}

export function register() {
  if (parameter('step')) return chooseUsername();
  const next = parameter('next');
  const isOpen = config.registration === 'open';
  const page = isOpen ? copy('register', { rules: passwordRules() }) : copy('registration-closed');
  page.querySelector('[data-page=login]').href = link('login', { next });
  if (isOpen) {
    offerProviders(page.querySelector('form'), () => ({ next }), orHome);
    onSubmit(page.querySelector('form'), async (values) => {
      await send('POST', '/api/register', values);
      await go(link('login', { next }), 'Congratulations, you are now a registered user!');
      if (config.require_verified_email) await flashMail({ message: 'Please open the link in the mail that you get.' });
    });
  }
  return page;
}

export function forgot() {
  const page = copy('forgot');
  onSubmit(page.querySelector('form'), async (values) => {
    const answer = await send('POST', '/api/password/forgot', values);
    await go(link('login'));
    await flashMail(answer);
  });
  return page;
}
