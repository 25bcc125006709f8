// The page of one's own account.

import { send } from './api.js';
import { copy, flash, flashMail } from './dom.js';
import { devices, factors } from './factors.js';
import { onClick, onSubmit } from './form.js';
import { identities } from './identities.js';
import { eventRow, fillPages, sessionRow } from './lists.js';
import { passkeys } from './passkeys.js';
import { go } from './router.js';
import { call, logOut, user } from './session.js';
import { link, passwordRules } from './site.js';

export async function account() {
  const { password } = await call('GET', '/api/login-methods');
  const changePassword = password ? 'Change password' : 'Set a password';
  const facts = { ...user, email: user.email ?? 'None yet', rules: passwordRules(), password, changePassword };
  const page = copy('account', facts);
  const part = (id) => page.querySelector(`#${id}`);
  /** Fills the parts that change each other: what changes one may end sessions, say. */
  const fill = async () => {
    const sections = [factors, passkeys, identities, devices].map((section) => section(changed));
    const parts = [...sections, fillSessions(page, changed)];
    for (const section of await Promise.all(parts)) if (section) part(section.id).replaceWith(section);
  };
  /** Says what has happened. What was clicked may be gone, so the focus goes to the part with this id. */
  const changed = async (id, message) => {
    await fill();
    part(id).focus();
    flash(message);
  };

  onClick(part('resend-mail'), async () => flashMail(await send('POST', '/api/email/verify/resend', {})));
  onClick(part('end-others'), async () => {
    const { revoked } = await call('DELETE', '/api/sessions');
    const message = revoked === 1 ? 'One other session has ended.' : `${revoked} other sessions have ended.`;
    await changed('session-list', message);
  });
  onSubmit(part('password-form'), async ({ current_password, new_password }) => {
    await call('POST', '/api/password/change', { current_password: current_password || undefined, new_password });
    if (!password) return go(link('account'), 'Your password is set.', 'replaceState');
    part('password-form').reset();
    await fill();
    flash('Your password has been changed.');
  });
  onSubmit(part('email-form'), async (values) => {
    const answer = await call('POST', '/api/email/change', values);
    part('email-form').reset();
    await flashMail(answer);
  });
  onClick(part('download'), download);
  onSubmit(part('delete-form'), async (values) => {
    await call('DELETE', '/api/me', values);
    await logOut();
    await go(link('login'), 'Your account has been deleted.');
  });

  await Promise.all([fill(), fillPages(part('event-list'), '/api/me/events', {}, 'events', eventRow)]);
  return page;
}

async function fillSessions(page, changed) {
  const sessions = await call('GET', '/api/sessions');
  const list = page.querySelector('#session-list');
  const end = (session) => async () => {
    await call('DELETE', `/api/sessions/${session.id}`);
    await changed('session-list', 'The session has ended.');
  };
  // This device first, as the one that people know.
  sessions.sort((a, b) => b.current - a.current);
  const rows = sessions.map((session) => sessionRow(session, session.current ? null : end(session)));
  list.replaceChildren(...rows);
  page.querySelector('#end-others').hidden = sessions.length < 2;
}

async function download() {
  const data = await call('GET', '/api/me/export');
  const file = new Blob([JSON.stringify(data, null, 2)], { type: 'application/json' });
  const anchor = Object.assign(document.createElement('a'), { download: `${user.username}.json` });
  anchor.href = URL.createObjectURL(file);
  anchor.click();
  URL.revokeObjectURL(anchor.href);
}
