// The passkeys of one's own account.

import { confirm, openDialog } from './dialog.js';
import { copy } from './dom.js';
import { onClick, onSubmit } from './form.js';
import { call, user } from './session.js';
import { config } from './site.js';
import { canUsePasskeys, makePasskey, signalAccepted } from './webauthn.js';

/** The section, or what there is of it. `changed` fills the account again, and says what has happened. */
export async function passkeys(changed) {
  const section = copy('account-passkeys', { isOn: config.passkeys, canAdd: canUsePasskeys() });
  if (!config.passkeys) return section;
  const answer = await call('GET', '/api/passkeys');
  if (canUsePasskeys()) signalAccepted(answer, user.username);
  section.querySelector('ul').append(...answer.passkeys.map((passkey) => row(passkey, changed)));
  onSubmit(section.querySelector('form'), async ({ name }) => {
    const { options } = await call('POST', '/api/passkeys/registration/options');
    const credential = await makePasskey(options);
    await call('POST', '/api/passkeys/registration/verify', { credential, name: name || undefined });
    await changed('passkeys', 'The passkey is added.');
  });
  return section;
}

function row(passkey, changed) {
  const { name } = passkey;
  const path = `/api/passkeys/${passkey.id}`;
  const element = copy('passkey-row', passkey);
  const [rename, remove] = element.querySelectorAll('button');
  rename.ariaLabel = `Rename ${name}`;
  remove.ariaLabel = `Remove ${name}`;
  onClick(rename, async () => {
    await openDialog('rename', passkey, (dialog) => onSubmit(dialog.querySelector('form'), async (values) => {
      await call('PATCH', path, values);
      dialog.close('renamed');
    }));
    await changed('passkeys', 'The passkey is renamed.');
  });
  onClick(remove, async () => {
    await confirm(`Remove ${name}?`, 'Nobody can log in with it any more. Your other sessions end.', 'Remove');
    await call('DELETE', path);
    await changed('passkeys', 'The passkey is removed.');
  });
  return element;
}
