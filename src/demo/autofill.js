// Passkeys at the login: a button, and the browser's own offer in the field for the name.

import { attempt, onClick } from './form.js';
import { awaitPasskey, canUsePasskeys, signalUnknown, usePasskey } from './webauthn.js';

/** Lets people log in at this form by `enter(credential)`. */
export function offerPasskeys(form, enter) {
  const button = form.querySelector('#passkey');
  button.hidden = !canUsePasskeys();
  if (button.hidden) return;
  const logIn = async ({ options, credential }) => {
    try {
      await enter(credential);
    } catch (problem) {
      // The browser would offer it for ever.
      if (problem.code === 'unknown_passkey') signalUnknown(options.rpId, credential.id);
      throw problem;
    }
  };
  const offer = async () => {
    const chosen = await choice(form.elements.username);
    if (chosen) attempt(form, button, () => orOffer(logIn(chosen)));
  };
  /** The button's request ends that of the autofill. After a failure it is there again. */
  const orOffer = (work) => work.catch((problem) => {
    offer();
    throw problem;
  });
  onClick(button, () => orOffer(usePasskey('login').then(logIn)));
  offer();
}

/** What people choose in the field, or null when they cannot any more. */
async function choice(input) {
  if (!(await PublicKeyCredential.isConditionalMediationAvailable?.())) return null;
  return awaitPasskey(input).catch((problem) => (problem.code === 'lapsed' ? choice(input) : null));
}
