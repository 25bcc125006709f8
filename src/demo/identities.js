// The accounts at providers that are connected to one's own account.

import { confirm } from './dialog.js';
import { copy } from './dom.js';
import { onClick } from './form.js';
import { leave } from './providers.js';
import { call } from './session.js';
import { config } from './site.js';

/** The section, if there are providers. `changed` fills the account again. */
export async function identities(changed) {
  const mine = await call('GET', '/api/identities');
  const any = config.providers.length + mine.length > 0;
  const section = copy('account-identities', { any, none: mine.length === 0 });
  section.querySelector('ul').append(...mine.map((one) => row(one, changed)));
  const others = config.providers.filter(({ name }) => !mine.some((one) => one.provider === name));
  section.querySelector('.buttons').append(...others.map(({ name, label }) => {
    const button = copy('provider-button', { text: `Connect ${label}` });
    onClick(button, () => leave(call, name, { intent: 'link' }));
    return button;
  }));
  return section;
}

function row(identity, changed) {
  const { id, label } = identity;
  const element = copy('identity-row', { ...identity, email: identity.email ?? '' });
  const button = element.querySelector('button');
  button.ariaLabel = `Disconnect ${label}`;
  onClick(button, async () => {
    await confirm(`Disconnect ${label}?`, 'Nobody can log in with it any more. Your other sessions end.', 'Disconnect');
    await call('DELETE', `/api/identities/${id}`);
    await changed('identities', `${label} is disconnected.`);
  });
  return element;
}
