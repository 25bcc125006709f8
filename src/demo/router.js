// Shows the page that belongs to the address, and follows links without loading.

import { clearFlash, copy, flash } from './dom.js';
import { isAdmin, refresh, user } from './session.js';
import { appName, link, loadConfig, paths } from './site.js';
import { stop } from './webauthn.js';

const main = document.getElementById('main');
const nav = document.getElementById('nav');
let routes = {};
let turns = 0;

/** Starts with `routes`: for each page, `show` returns its element, and `needs` says who sees it (user or guest). */
export function start(table) {
  routes = table;
  for (const anchor of nav.querySelectorAll('[data-page]')) anchor.href = link(anchor.dataset.page);
  document.addEventListener('click', follow);
  window.addEventListener('popstate', () => show());
  show();
}

/** Goes to an address of this site, never of another, with a flash message. `how` is a method of history. */
export function go(address, message, how = 'pushState') {
  const url = new URL(address, location.origin);
  if (url.origin !== location.origin) return go('/', message, how);
  if (!find(url)) return location.assign(url);
  history[how](null, '', url);
  return show({ message });
}

/** The route of an address. The path of a page may have a query, which must then be part of the address. */
function find(address) {
  const url = new URL(address);
  const isAt = (page) => {
    const { pathname, searchParams } = new URL(paths[page], location.origin);
    const isIn = ([name, value]) => url.searchParams.get(name) === value;
    return pathname === url.pathname && [...searchParams].every(isIn);
  };
  return routes[Object.keys(routes).find(isAt)];
}

/** Shows the page of the present address. Each page asks the server who is logged in, as a page from a server would. */
export async function show({ token = takeToken(), message } = {}) {
  const turn = ++turns;
  stop();
  const route = find(location.href) ?? { show: () => copy('not-found') };
  let page;
  try {
    await Promise.all([refresh(), loadConfig()]);
    if (turn !== turns) return;
    if (route.needs === 'user' && !user) {
      const next = location.pathname + location.search;
      return go(link('login', { next }), message ?? 'Please log in to access this page.', 'replaceState');
    }
    const home = route === find(`${location.origin}/`) ? link('account') : '/';
    if (route.needs === 'guest' && user) return go(home, message, 'replaceState');
    page = await route.show({ token });
  } catch (problem) {
    page = problemPage(problem, () => show({ token }));
  }
  if (turn === turns) put(page, message);
}

/** A link in a mail has its token behind `#token=`. It leaves the address at once, so nobody reads it there. */
function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (token) history.replaceState(null, '', location.href.split('#')[0]);
  return token;
}

function put(page, message) {
  const isFirst = !main.querySelector('h1');
  // Those of the page before. Recovery codes stay: they are shown only once.
  for (const dialog of document.querySelectorAll('dialog:not([closedby=none])')) dialog.close();
  drawNav();
  main.replaceChildren(page);
  const heading = page.querySelector('h1');
  document.title = `${heading.textContent} · ${appName()}`;
  clearFlash();
  if (message) flash(message);
  if (isFirst) return;
  // Screen readers read the heading of the new page, and the next Tab goes on from there.
  heading.tabIndex = -1;
  (page.querySelector('[autofocus]:enabled') ?? heading).focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

/** Somebody else is logged in now than before. Pages for everybody stay, with what has been typed into them. */
export function onSession() {
  if (find(location.href)?.needs) show();
  else drawNav();
}

function drawNav() {
  const who = isAdmin() ? 'admin' : user ? 'user' : 'guest';
  for (const item of nav.querySelectorAll('[data-for]')) item.hidden = !item.dataset.for.split(' ').includes(who);
  for (const anchor of nav.querySelectorAll('a')) {
    anchor.ariaCurrent = anchor.pathname === location.pathname ? 'page' : null;
  }
  document.getElementById('brand').textContent = appName();
  nav.hidden = false;
}

function problemPage(problem, retry) {
  if (!problem.code) throw problem;
  const page = copy('problem', problem);
  page.querySelector('button').addEventListener('click', retry);
  return page;
}

function follow(event) {
  const anchor = event.target.closest('a[href]');
  const isPlain = !(event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
  if (!anchor || !isPlain || anchor.target || anchor.origin !== location.origin) return;
  if (anchor.className === 'skip') {
    event.preventDefault();
    main.focus();
  } else if (find(anchor.href)) {
    event.preventDefault();
    go(anchor.href);
  }
}
