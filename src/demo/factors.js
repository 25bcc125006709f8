// The second factor of one's own account: an authenticator app or passkeys, recovery codes, and trusted devices.

import { confirm, openDialog, showCodes } from './dialog.js';
import { copy } from './dom.js';
import { onClick, onSubmit } from './form.js';
import { call, user } from './session.js';
import { appName } from './site.js';
import { device } from './words.js';

/** The section. `changed` fills the account again, and says what has happened. */
export async function factors(changed) {
  const methods = await call('GET', '/api/login-methods');
  const { totp, passkeys, second_factor_required: isOn } = methods;
  const section = copy('account-factors', {
    ...methods, isOn,
    byPasskey: isOn && passkeys > 0,
    canTurnOn: !isOn && passkeys > 0,
    canRemoveApp: totp && passkeys > 0,
  });
  const show = ({ recovery_codes }) => showCodes(recovery_codes, `${user.username} · ${appName()}`);
  const onButton = (id, message, work) => onClick(section.querySelector(`#${id}`), async () => {
    await work();
    await changed('factors', message);
  });
  const isOnNow = 'Two-factor authentication is on.';

  onButton('set-up', isOnNow, async () => show(await enrol()));
  onButton('use-passkeys', isOnNow, async () => show(await call('POST', '/api/second-factor', {})));
  onButton('new-codes', 'The new recovery codes work from now on.', async () => {
    await confirm('Make new recovery codes?', 'The codes that you have now will stop working.', 'Make new ones');
    await show(await call('POST', '/api/recovery-codes'));
  });
  onButton('remove-app', 'The authenticator app is removed.', async () => {
    const text = 'Your passkeys stay your second factor. Your other sessions end.';
    await confirm('Remove the authenticator app?', text, 'Remove');
    await call('DELETE', '/api/totp');
  });
  onButton('switch-off', 'Two-factor authentication is off.', async () => {
    const text = 'One proof will be enough to log in. Your recovery codes stop working, and your other sessions end.';
    await confirm('Switch off two-factor authentication?', text, 'Switch off');
    await call('DELETE', '/api/second-factor');
  });
  return section;
}

/** Shows the secret to an authenticator app, and sends the first code from it. */
async function enrol() {
  const { secret, otpauth_uri, qr_svg } = await call('POST', '/api/totp');
  let sent = null;
  await openDialog('enrol', { secret: secret.match(/.{1,4}/g).join(' ') }, (dialog) => {
    dialog.querySelector('img').src = `data:image/svg+xml,${encodeURIComponent(qr_svg)}`;
    dialog.querySelector('a').href = otpauth_uri;
    onSubmit(dialog.querySelector('form'), async ({ code, end_other_sessions }) => {
      sent = call('POST', '/api/totp/confirm', { code, end_other_sessions: Boolean(end_other_sessions) });
      await sent.catch((problem) => {
        sent = null;
        throw problem;
      });
      dialog.close('confirmed');
    });
  }).catch((problem) => {
    // Whoever cancels while the code is on its way needs the recovery codes all the same.
    if (!sent) throw problem;
  });
  return sent;
}

/** The section of the devices on which a login does not ask for the second factor, if there are any. */
export async function devices(changed) {
  const trusted = await call('GET', '/api/trusted-devices');
  const section = copy('account-devices', { any: trusted.length > 0, several: trusted.length > 1 });
  section.querySelector('ul').append(...trusted.map((one) => {
    const name = device(one.user_agent);
    const row = copy('device-row', { ...one, name, ip: one.ip ?? 'Unknown address' });
    const button = row.querySelector('button');
    button.ariaLabel = `Remove ${name}`;
    onClick(button, async () => {
      await call('DELETE', `/api/trusted-devices/${one.id}`);
      await changed(trusted.length > 1 ? 'devices' : 'factors', 'This device is not trusted any more.');
    });
    return row;
  }));
  onClick(section.querySelector('#forget-all'), async () => {
    await call('DELETE', '/api/trusted-devices');
    await changed('factors', 'No device is trusted any more.');
  });
  return section;
}
