// The page of somebody whom a provider knows, and nobody here.

import { send } from './api.js';
import { copy, flashMail } from './dom.js';
import { onClick, onSubmit } from './form.js';
import { labelOf } from './providers.js';
import { go } from './router.js';
import { logIn } from './session.js';
import { link } from './site.js';

/** Lets them choose a name. The server knows how far the login has come. */
export async function chooseUsername() {
  const back = (message) => go(link('login'), message, 'replaceState');
  const orBack = (problem) => {
    if (problem.code === 'step_expired') return back(problem.detail);
    throw problem;
  };
  const show = ({ kind, provider, suggested_username, email }) => {
    if (kind !== 'choose_username') return go(link('login', { step: kind }), undefined, 'replaceState');
    const page = copy('choose-username', { label: labelOf(provider) ?? provider, suggested_username, email });
    page.querySelector(email ? '.field:has(#email)' : '#confirmed').remove();
    onSubmit(page.querySelector('form'), async (values) => {
      const answer = await logIn('/api/login/choose-username', values).catch(orBack);
      if (answer?.redirect_to) return go(answer.redirect_to, `Welcome, ${values.username}!`);
      if (!answer?.message) return;
      await go(link('login'));
      await flashMail(answer);
    });
    onClick(page.querySelector('#cancel'), async () => {
      await send('DELETE', '/api/login/step');
      await back();
    });
    return page;
  };
  return send('GET', '/api/login/step').then(show, orBack);
}
