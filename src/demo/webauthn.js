// Passkeys as the browser has them. Everything about passkeys that a frontend needs is here.

import { Problem, send } from './api.js';
import { config } from './site.js';

export const canUsePasskeys = () => config.passkeys && 'PublicKeyCredential' in window;

// Browsers answer one request at a time. That of the autofill waits for ever, so it makes way for any other.
let running = null;

/** Ends what the browser is asked for now. */
export function stop() {
  running?.abort();
  running = null;
}

/** Makes a passkey, by what POST /api/passkeys/registration/options has answered. Returns it as the server reads it. */
export function makePasskey(options) {
  const publicKey = parse('parseCreationOptionsFromJSON', options);
  return ask(async (signal) => toJson(await navigator.credentials.create({ publicKey, signal })));
}

/** Asks for a passkey: `purpose` is login, second_factor or reauthenticate. Returns it with what was asked. */
export function usePasskey(purpose) {
  return ask(async (signal) => {
    const { options } = await requestOptions(purpose);
    signal.throwIfAborted();
    const publicKey = parse('parseRequestOptionsFromJSON', options);
    return { options, credential: toJson(await navigator.credentials.get({ publicKey, signal })) };
  });
}

/** Waits until people choose a passkey in the field `input`. Fails with `lapsed` when it is time for new options. */
export async function awaitPasskey(input) {
  const { options, expires_at } = await requestOptions('login');
  if ((running && !running.waits) || !input.isConnected) throw new Problem({ code: 'cancelled' });
  const publicKey = parse('parseRequestOptionsFromJSON', options);
  // Browsers ignore the timeout of such a request (WebAuthn 3, 5.1.4). A wrong clock must not make this a loop.
  const lapse = AbortSignal.timeout(Math.max(60_000, 0.75 * (new Date(expires_at) - Date.now())));
  const get = async (signal) => navigator.credentials.get({ publicKey, signal, mediation: 'conditional' });
  return ask(async (ended) => {
    try {
      return { options, credential: toJson(await get(AbortSignal.any([ended, lapse]))) };
    } catch (error) {
      // Safari does not say why it was aborted.
      throw lapse.aborted && !ended.aborted ? new Problem({ code: 'lapsed' }) : error;
    }
  }, true);
}

const requestOptions = (purpose) => send('POST', '/api/passkeys/authentication/options', { for: purpose });

async function ask(start, waits = false) {
  stop();
  const mine = (running = Object.assign(new AbortController(), { waits }));
  try {
    return await start(mine.signal);
  } catch (error) {
    if (error instanceof Problem) throw error;
    // The browser's words are for developers.
    if (!PROBLEMS[error.name]) console.warn(error);
    throw new Problem(PROBLEMS[error.name] ?? FAILED);
  } finally {
    if (running === mine) running = null;
  }
}

const FAILED = { code: 'passkey_failed', detail: 'The passkey could not be used. Please try again.' };
const PROBLEMS = {
  AbortError: { code: 'cancelled' },
  NotAllowedError: {
    code: 'passkey_refused',
    detail: 'No passkey was used. You cancelled, it took too long, or there is none on this device.',
  },
  InvalidStateError: { code: 'passkey_exists', detail: 'There already is a passkey for your account on this device.' },
  SecurityError: { code: 'passkey_failed', detail: 'Passkeys do not work at this address.' },
};

// What the browser needs as bytes is base64url in JSON. Browsers of 2024 do not all know how to translate.

function parse(name, options) {
  if (PublicKeyCredential[name]) return PublicKeyCredential[name](options);
  const { challenge, user, allowCredentials = [], excludeCredentials = [] } = options;
  const withBytes = (list) => list.map((item) => ({ ...item, id: toBytes(item.id) }));
  return {
    ...options,
    challenge: toBytes(challenge),
    user: user && { ...user, id: toBytes(user.id) },
    allowCredentials: withBytes(allowCredentials),
    excludeCredentials: withBytes(excludeCredentials),
  };
}

const PARTS = ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle'];

/** Field by field where there is no `toJSON`, or a password manager has put one there that throws. */
function toJson(credential) {
  try {
    return credential.toJSON();
  } catch {
    const { id, rawId, type, authenticatorAttachment, response } = credential;
    const parts = PARTS.filter((name) => response[name]).map((name) => [name, toText(response[name])]);
    return {
      id, type, rawId: toText(rawId), authenticatorAttachment: authenticatorAttachment ?? undefined,
      clientExtensionResults: credential.getClientExtensionResults(),
      response: { ...Object.fromEntries(parts), transports: response.getTransports?.() },
    };
  }
}

const toBytes = (text) => Uint8Array.from(
  atob(text.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0),
);

function toText(bytes) {
  const text = btoa(String.fromCharCode(...new Uint8Array(bytes)));
  return text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

// What the server knows, so that the browser does not offer passkeys that are gone. Not every browser listens.

/** After `unknown_passkey`. */
export const signalUnknown = (rpId, credentialId) => signal('signalUnknownCredential', { rpId, credentialId });

/** Takes the answer of GET /api/passkeys, whole: the browser forgets those that are not in it. */
export function signalAccepted({ rp_id: rpId, user_handle: userId, passkeys }, name) {
  const allAcceptedCredentialIds = passkeys.map((passkey) => passkey.credential_id);
  signal('signalAllAcceptedCredentials', { rpId, userId, allAcceptedCredentialIds });
  signal('signalCurrentUserDetails', { rpId, userId, name, displayName: name });
}

function signal(name, facts) {
  // Browsers take none while a request waits.
  if (running?.waits) stop();
  PublicKeyCredential[name]?.(facts).catch(() => {});
}
