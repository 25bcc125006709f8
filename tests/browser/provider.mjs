// An honest provider, certified: https://github.com/panva/node-oidc-provider.
// Usage: node provider.mjs PACKAGE PORT SECRET REDIRECT_URI. Whoever types a name is that person, with any password.
import { pathToFileURL } from 'node:url';

const [, , directory, port, secret, redirectUri] = process.argv;
const { default: Provider } = await import(pathToFileURL(`${directory}/lib/index.js`));

const provider = new Provider(`http://localhost:${port}`, {
  clients: [{ client_id: 'latchkey', client_secret: secret, redirect_uris: [redirectUri] }],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['preferred_username'] },
  pkce: { required: () => true },
  features: { devInteractions: { enabled: true } },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@provider.example`, email_verified: true, preferred_username: id }),
  }),
});
provider.listen(Number(port), () => console.log('ready'));
