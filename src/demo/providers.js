// Going to a provider with an account there, and what comes back.

import { Problem, send } from './api.js';
import { copy } from './dom.js';
import { onClick } from './form.js';
import { config, parameter } from './site.js';

export const labelOf = (name) => config.providers.find((one) => one.name === name)?.label;

/** Leaves for a provider. `ask` sends the request. Whoever comes back does so by loading a page. */
export async function leave(ask, name, wish) {
  const { authorization_url } = await ask('POST', `/api/oidc/${name}/start`, wish);
  location.assign(authorization_url);
}

/** Adds a button for each provider to `form`. `wish()` is what to ask for, `ifRefused(problem)` what to do if it fails. */
export function offerProviders(form, wish, ifRefused) {
  for (const { name, label } of config.providers) {
    const button = copy('provider-button', { text: `Continue with ${label}` });
    onClick(button, () => leave(send, name, { intent: 'login', ...wish() }).catch(ifRefused));
    form.append(button);
  }
}

const ERRORS = {
  oidc_denied: 'You did not finish at the provider. Please try again.',
  oidc_failed: 'Something went wrong between us and the provider. Please try again.',
  oidc_expired: 'This took too long, or began in another browser. Please try again.',
  oidc_unavailable: 'This provider cannot be used at the moment. Please try again later.',
  oidc_email_in_use:
    'There is already an account here with your email address. Please log in to it, then connect the provider there.',
  oidc_identity_in_use: 'Another account here is already connected to that account at the provider.',
  oidc_not_recent:
    'The provider did not confirm just now that it is you. Please confirm it another way, or log out and in again.',
  registration_closed: 'New accounts cannot be created here.',
  account_disabled: 'This account is disabled.',
  email_not_verified: 'Please confirm your email address first: open the link in the mail that we sent you.',
};

/**
 * What somebody who comes back from a provider has to know, if anything: a text, or a problem. The address could hold
 * anybody's words.
 */
export function news() {
  const linked = labelOf(parameter('linked'));
  if (linked) return `${linked} is connected to your account.`;
  if (parameter('confirmed')) return 'Thank you. Please do it again now.';
  const error = parameter('error');
  return error && new Problem({ detail: ERRORS[error] ?? ERRORS.oidc_failed });
}

/** The present address without that. */
export function withoutNews() {
  const url = new URL(location);
  for (const name of ['linked', 'confirmed', 'error', 'provider']) url.searchParams.delete(name);
  return url;
}

/** Adds to a form the buttons that confirm with these providers who one is. The browser comes back to this page. */
export function offerToConfirm(form, names) {
  const back = new URL(location);
  back.searchParams.set('confirmed', 1);
  const next = back.pathname + back.search;
  for (const name of names) {
    const button = copy('provider-button', { text: `Confirm with ${labelOf(name) ?? name}` });
    onClick(button, () => leave(send, name, { intent: 'reauthenticate', next }));
    form.querySelector('.providers').append(button);
  }
}
