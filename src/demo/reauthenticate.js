// The dialog that asks people to prove again who they are.

import { send } from './api.js';
import { openDialog } from './dialog.js';
import { onSubmit } from './form.js';
import { offerToConfirm } from './providers.js';
import { focusCode, isUsable, prepareWays } from './ways.js';
import { stop } from './webauthn.js';

/** Resolves when the proof was right, and fails with the code `cancelled` when people change their mind. */
export async function askAgain(username, problem) {
  const { methods } = problem;
  const ways = methods.filter((way) => way !== 'oidc' && isUsable(way));
  const ask = () => send('GET', '/api/login-methods').then(({ identities }) => [...new Set(identities)], () => []);
  const providers = methods.includes('oidc') ? await ask() : [];
  if (ways.length === 0 && providers.length === 0) throw problem;
  return openDialog('reauthenticate', { username }, (dialog) => {
    const form = dialog.querySelector('form');
    dialog.addEventListener('close', stop);
    const prove = async (proof) => {
      await send('POST', '/api/reauthenticate', proof).catch((refusal) => {
        // The session is over, as the request that waits for this will find out.
        if (refusal.code !== 'not_authenticated') throw refusal;
      });
      dialog.close('confirmed');
    };
    const offer = prepareWays(form, 'reauthenticate', prove);
    offer(ways);
    offerToConfirm(form, providers);
    onSubmit(form, async ({ password, code, recovery_code }) => {
      try {
        await prove({ password, code, recovery_code });
      } catch (refusal) {
        // The second factor was switched on a moment ago.
        if (refusal.code === 'second_factor_required') {
          offer(refusal.methods);
          focusCode(form);
        }
        throw refusal;
      }
    });
  });
}
