// Starts the page: which page is at which path, and who may see it.

import { account } from './account.js';
import { admin } from './admin.js';
import { copy } from './dom.js';
import { forgot, login, register } from './entry.js';
import { onClick } from './form.js';
import { change, notMe, reset, verify } from './links.js';
import { go, onSession, start } from './router.js';
import { logOut, onChange, user } from './session.js';
import { link } from './site.js';

start({
  login: { show: login, needs: 'guest' },
  register: { show: register, needs: 'guest' },
  forgot: { show: forgot },
  reset: { show: reset },
  verify: { show: verify },
  change: { show: change },
  'not-me': { show: notMe },
  account: { show: account, needs: 'user' },
  admin: { show: admin, needs: 'user' },
  home: { show: () => copy('home', user), needs: 'user' },
});

onClick(document.getElementById('logout'), async () => {
  await logOut();
  await go(link('login'), 'You have been logged out.');
});

// Another tab has logged in or out, or the session was ended elsewhere.
onChange(onSession);
