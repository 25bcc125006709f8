// Starts the page: which page is at which path, and who may see it.

import { account } from './account.js';
import { admin } from './admin.js';
import { copy } from './dom.js';
import { forgot, login, register } from './entry.js';
import { onClick } from './form.js';
import { change, notMe, reset, verify } from './links.js';
import { news, withoutNews } from './providers.js';
import { go, onSession, start } from './router.js';
import { logOut, onChange, user } from './session.js';
import { link } from './site.js';

/** The page, once what a provider has sent somebody back with is said and out of the address. */
const afterJourney = (show) => (parts) => {
  const message = news();
  return message ? go(withoutNews(), message, 'replaceState') : show(parts);
};

start({
  login: { show: afterJourney(login), needs: 'guest' },
  register: { show: register, needs: 'guest' },
  forgot: { show: forgot },
  reset: { show: reset },
  verify: { show: verify },
  change: { show: change },
  'not-me': { show: notMe },
  account: { show: afterJourney(account), needs: 'user' },
  admin: { show: afterJourney(admin), needs: 'user' },
  home: { show: () => copy('home', user), needs: 'user' },
});

onClick(document.getElementById('logout'), async () => {
  await logOut();
  await go(link('login'), 'You have been logged out.');
});

// Another tab has logged in or out, or the session was ended elsewhere.
onChange(onSession);
