// The administration: find users, and look after one of them.

import { confirm } from './dialog.js';
import { copy, flashMail } from './dom.js';
import { onClick, onSubmit } from './form.js';
import { eventRow, fillPages, sessionRow } from './lists.js';
import { go, show } from './router.js';
import { call, isAdmin } from './session.js';
import { link, parameter } from './site.js';

export async function admin() {
  if (!isAdmin()) return copy('not-found');
  const id = parameter('user');
  return id ? userPage(id) : usersPage(Object.fromEntries(new URLSearchParams(location.search)));
}

/** The search is part of the address, so that it can be reloaded, and Back leads to it. */
async function usersPage(search) {
  const page = copy('admin');
  const form = page.querySelector('form');
  form.elements.q.value = search.q ?? '';
  form.elements.state.value = search.state ?? '';
  onSubmit(form, (values) => go(link('admin', values)));

  const list = page.querySelector('#user-list');
  page.querySelector('#nobody').hidden = await fillPages(list, '/api/admin/users', search, 'users', userRow);
  return page;
}

function userRow(user) {
  const row = copy('user-row', { ...user, roles: user.roles.join(', ') });
  row.querySelector('a').href = link('admin', { user: user.id });
  return row;
}

async function userPage(id) {
  const path = `/api/admin/users/${encodeURIComponent(id)}`;
  const [user, sessions] = await Promise.all([call('GET', path), call('GET', `${path}/sessions`)]);
  const page = copy('admin-user', { ...user, email: user.email ?? 'None yet', roles: user.roles.join(' ') });
  const part = (name) => page.querySelector(`#${name}`);
  /** Does something to the user, and shows what became of them. */
  const change = async (method, what, message, body) => {
    await call(method, `${path}/${what}`, body);
    await show({ message });
  };

  onClick(part('disable'), () => change('POST', 'disable', `${user.username} is disabled.`));
  onClick(part('enable'), () => change('POST', 'enable', `${user.username} is enabled.`));
  onClick(part('send-reset'), async () => flashMail(await call('POST', `${path}/password-reset`)));
  onClick(part('reset-factor'), async () => {
    await confirm('Switch off two-factor authentication?', 'Their sessions end, and they are told by mail.', 'Switch off');
    await change('DELETE', 'second-factor', 'Two-factor authentication is off.');
  });
  onClick(part('end-sessions'), () => change('DELETE', 'sessions', `${user.username} is logged out everywhere.`));
  onSubmit(part('roles-form'), (values) => {
    const roles = values.roles.split(/[\s,]+/).filter(Boolean);
    return change('PUT', 'roles', 'The roles are saved.', { roles });
  });

  part('session-list').append(...sessions.map((session) => sessionRow(session)));
  await fillPages(part('event-list'), '/api/admin/events', { user: id }, 'events', eventRow);
  return page;
}
