// Who is logged in, in this tab and in the others.

import { send } from './api.js';
import { askAgain } from './reauthenticate.js';

/** The user who is logged in, or null. */
export let user = null;

export const isAdmin = () => Boolean(user?.roles.includes('admin'));

const tabs = new BroadcastChannel('latchkey-session');
let changed = () => {};

/**
 * Asks the server who is logged in. Somebody who was logged in is asked for twice: a request that is under way while
 * the session gets a new key is answered with 401, too.
 */
export async function refresh() {
  user = (await me()) ?? (user && (await me()));
}

async function me() {
  try {
    return await send('GET', '/api/me');
  } catch (problem) {
    if (problem.code === 'not_authenticated') return null;
    throw problem;
  }
}

/** Calls `listener` when somebody else is logged in than before, because of another tab or another browser. */
export function onChange(listener) {
  changed = listener;
  tabs.onmessage = lookAgain;
  document.addEventListener('visibilitychange', () => document.hidden || lookAgain());
}

async function lookAgain() {
  const before = user?.id;
  // Without an answer the page stays as it is. What people do next says what is wrong.
  await refresh().catch(() => {});
  if (user?.id !== before) changed();
}

/** Sends the request that logs in, and returns its answer. */
export async function logIn(path, proof) {
  const answer = await send('POST', path, proof);
  tabs.postMessage('login');
  return answer;
}

/** Logs out, here and in the other tabs. */
export async function logOut() {
  await send('POST', '/api/logout');
  tabs.postMessage('logout');
}

/**
 * Sends a request of somebody who is logged in. If it needs a recent proof, asks for that and repeats the request.
 * If the session is over, the page goes to the login.
 */
export async function call(method, path, body) {
  try {
    return await send(method, path, body);
  } catch (problem) {
    if (problem.code === 'reauthentication_required') {
      await askAgain(user.username, problem);
      return call(method, path, body);
    }
    if (problem.code !== 'not_authenticated') throw problem;
    await lookAgain();
    if (!user) throw problem;
    return send(method, path, body);
  }
}
