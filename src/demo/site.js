// What is known of this site: the paths of its pages, and what the server offers.

import { send } from './api.js';

/** The path of each page. The server writes those that can be set into index.html (LATCHKEY_PAGES). */
export const paths = {
  login: '/login', register: '/register', account: '/account',
  reset: '/reset', verify: '/verify', change: '/change-email', 'not-me': '/not-me',
  ...JSON.parse(document.querySelector('meta[name=latchkey-pages]').content),
  forgot: '/forgot',
  admin: '/admin',
  home: '/',
};

/** The answer of GET /api/config. */
export let config;

export async function loadConfig() {
  config ??= await send('GET', '/api/config');
}

/** The app's name. Without a name of its own an app is called by its host, which people see anyway. */
export function appName() {
  return config && config.app_name !== location.hostname ? config.app_name : 'Latchkey';
}

/** The rules for passwords, in words. */
export function passwordRules() {
  const { min_length, min_score } = config.password;
  return `At least ${min_length} characters${min_score > 0 ? ', and hard to guess' : ''}.`;
}

/** The address of a page, with parameters. Those without a value are left out. */
export function link(page, parameters = {}) {
  const url = new URL(paths[page], location.origin);
  for (const [name, value] of Object.entries(parameters)) if (value) url.searchParams.set(name, value);
  return url.pathname + url.search;
}

/** A parameter of the present address, or undefined. */
export function parameter(name) {
  return new URLSearchParams(location.search).get(name) ?? undefined;
}
