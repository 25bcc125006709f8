// The pages to which links in mails lead. A link alone does nothing: mail scanners open links, too, so people click.

import { send } from './api.js';
import { copy, flashMail } from './dom.js';
import { onSubmit } from './form.js';
import { go } from './router.js';
import { user } from './session.js';
import { config, link, passwordRules } from './site.js';

export function reset({ token }) {
  return page('reset', token, async (values) => {
    await send('POST', '/api/password/reset', { token, ...values });
    await go(link('login'), 'Your password has been reset.');
  });
}

export function verify({ token }) {
  if (!token) return resend();
  const form = page('verify', token, async ({ password }) => {
    await send('POST', '/api/email/verify', { token, password: password || undefined });
    await go(afterwards(), 'Your address is verified.');
  });
  form.querySelector('.field').hidden = !config.require_verified_email || user !== null;
  return form;
}

export function change({ token }) {
  return page('change', token, async () => {
    await send('POST', '/api/email/change/confirm', { token });
    await go(afterwards(), 'Your e-mail address has been changed.');
  });
}

export function notMe({ token }) {
  return page('not-me', token, async () => {
    await send('POST', '/api/account/not-me', { token });
    await go(link('login'));
    await flashMail({ message: 'Everybody is logged out. A mail with a link to choose a new password is on its way.' });
  });
}

function page(template, token, action) {
  if (!token) return copy('no-token');
  const element = copy(template, { rules: passwordRules(), hasProviders: config.providers.length > 0 });
  onSubmit(element.querySelector('form'), action);
  return element;
}

function resend() {
  const element = copy('resend');
  const form = element.querySelector('form');
  onSubmit(form, async (values) => flashMail(await send('POST', '/api/email/verify/resend', values)));
  return element;
}

function afterwards() {
  return link(user ? 'account' : 'login');
}
