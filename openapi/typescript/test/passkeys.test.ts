// Passkeys, with a device that really signs, against a real server.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { createClient, isLatchkeyError, type ClientOptions } from "latchkey-client";
import { App } from "./app.js";
import { aMoment, Browser, failure, PASSWORD, somebody, until } from "./browser.js";
import { Device, plugIn } from "./device.js";

/** Somebody with a passkey, logged in by a password. */
async function withPasskey(device: Device) {
  const username = await somebody();
  const browser = new Browser();
  const tab = browser.tab();
  await tab.login({ username, password: PASSWORD });
  const passkey = await tab.passkeys.register({ name: "My phone" });
  return { username, browser, tab, passkey, device };
}

test("a passkey is made, listed, renamed and removed, and the browser hears of it", async () => {
  const { tab, passkey, device, username } = await withPasskey(plugIn());
  assert.equal(tab.passkeys.supported, true);
  assert.equal(passkey.name, "My phone");
  assert.deepEqual([...device.passkeys.keys()], [passkey.credential_id]);
  const heard = () => device.told.filter(([signal]) => signal === "signalAllAcceptedCredentials");
  await until(() => heard().length === 1);
  const { rp_id, user_handle, passkeys } = await tab.passkeys.list();
  assert.deepEqual(passkeys.map(({ id, usable }) => [id, usable]), [[passkey.id, true]]);
  const them = { rpId: rp_id, userId: user_handle };
  assert.deepEqual(heard()[0]?.[1], { ...them, allAcceptedCredentialIds: [passkey.credential_id] });
  const details = device.told.find(([signal]) => signal === "signalCurrentUserDetails");
  assert.deepEqual(details?.[1], { ...them, name: username, displayName: username });

  assert.equal((await tab.passkeys.rename(passkey.id, { name: "My old phone" })).name, "My old phone");
  // The device has one already, says its browser.
  const error = await failure(tab.passkeys.register());
  assert(error instanceof DOMException);
  assert.equal(error.name, "InvalidStateError");
  device.told.length = 0;
  assert.deepEqual(await tab.passkeys.remove(passkey.id), { revoked: 0 });
  await until(() => heard().length === 1);
  assert.deepEqual(heard()[0]?.[1], { ...them, allAcceptedCredentialIds: [] });
  const gone = await failure(tab.passkeys.remove(passkey.id, { end_other_sessions: false }));
  assert(isLatchkeyError(gone, "remove_passkey") && gone.code === "item_not_found");
});

test("a passkey logs in without a name, as two factors", async () => {
  const { username } = await withPasskey(plugIn());
  const tab = new Browser().tab();
  const answer = await tab.passkeys.signIn({ next: "/profile", remember_me: true });
  assert.equal(answer.user.username, username);
  assert.equal(answer.redirect_to, "/profile");
  assert.deepEqual(answer.session.methods, ["passkey"]);
  assert.deepEqual([answer.session.factors, answer.session.remembered], [2, true]);
  assert.equal(tab.session.user?.username, username);
});

test("a passkey is a second factor, alone or beside an app", async () => {
  const { username, tab } = await withPasskey(plugIn());
  const { recovery_codes } = await tab.secondFactor.turnOn();
  assert.equal(recovery_codes.length, 10);
  await tab.reauthenticate({ credential: await tab.passkeys.prompt("reauthenticate") });
  const app = new App((await tab.totp.offer()).secret);
  await tab.totp.confirm({ code: app.code() });
  const other = new Browser().tab();
  const error = await failure(other.login({ username, password: PASSWORD }));
  assert(isLatchkeyError(error, "login"));
  assert.equal(error.code, "second_factor_required");
  assert(error.methods?.includes("passkey"));
  const credential = await other.passkeys.prompt("second_factor");
  const answer = await other.login.secondFactor({ credential });
  assert.deepEqual(answer.session.methods, ["password", "passkey"]);
  assert.equal(other.step, null);
});

test("a passkey proves again who somebody is", async () => {
  const { browser, tab, username } = await withPasskey(plugIn());
  const before = [...browser.cookies.values()];
  await tab.reauthenticate({ credential: await tab.passkeys.prompt("reauthenticate") });
  assert.equal(tab.session.user?.username, username);
  assert.equal(tab.session.user?.session.factors, 2);
  assert.notDeepEqual([...browser.cookies.values()], before);
});

test("whoever cancels gets the browser's own error", async () => {
  const { device, tab } = await withPasskey(plugIn());
  device.cancels = true;
  for (const prompt of [
    () => new Browser().tab().passkeys.signIn(),
    () => tab.passkeys.prompt("reauthenticate"),
    () => tab.passkeys.register(),
  ]) {
    const error = await failure(prompt());
    assert(error instanceof DOMException);
    assert.equal(error.name, "NotAllowedError");
  }
});

test("where the browser or a password manager cannot write or read JSON, it is done by hand", async () => {
  const parsers = ["parseCreationOptionsFromJSON", "parseRequestOptionsFromJSON"] as const;
  for (const toJSON of ["missing", "throws"] as const) {
    const device = plugIn(new Device(), toJSON === "missing" ? [...parsers] : []);
    if (toJSON === "throws") {
      const broken = () => { throw new TypeError("Illegal invocation"); };
      Object.assign(PublicKeyCredential, Object.fromEntries(parsers.map((parser) => [parser, broken])));
    }
    device.toJSON = toJSON;
    const { username, tab, passkey } = await withPasskey(device);
    assert.deepEqual(passkey.transports, ["hybrid", "internal"]);
    assert.equal((await new Browser().tab().passkeys.signIn()).user.username, username);
    await tab.reauthenticate({ credential: await tab.passkeys.prompt("reauthenticate") });
    const again = await failure(tab.passkeys.register());
    assert(again instanceof DOMException && again.name === "InvalidStateError");
  }
});

test("the autofill offers passkeys until one is chosen, and gives way to a button", async () => {
  const { device, username } = await withPasskey(plugIn());
  const tab = new Browser().tab();
  device.asked.length = 0;
  const offered = tab.passkeys.autofill({ next: "/profile" });
  await until(() => device.offers);
  // Else the device fails, as browsers do while something is pending.
  device.cancels = true;
  const cancelled = await failure(tab.passkeys.signIn());
  assert(cancelled instanceof DOMException && cancelled.name === "NotAllowedError");
  await until(() => device.offers);
  assert.deepEqual(device.asked, ["offer", "get", "offer"]);
  device.choose();
  const answer = await offered;
  assert.equal(answer?.user.username, username);
  assert.equal(answer?.redirect_to, "/profile");
  assert.equal(tab.session.user?.username, username);
});

test("a button that logs in ends the offer", async () => {
  const { device } = await withPasskey(plugIn());
  const tab = new Browser().tab();
  const offered = tab.passkeys.autofill();
  await until(() => device.offers);
  await tab.passkeys.signIn();
  assert.equal(await offered, null);
  assert.equal(device.offers, false);
});

test("an offer that is aborted ends with the signal's reason, also before it was made", async () => {
  const { device } = await withPasskey(plugIn());
  const tab = new Browser().tab();
  const reason = new Error("left the page");
  const stop = new AbortController();
  const offered = failure(tab.passkeys.autofill({}, stop));
  await until(() => device.offers);
  stop.abort(reason);
  assert.equal(await offered, reason);
  assert.equal(device.offers, false);
  assert.equal(await failure(tab.passkeys.autofill({}, { signal: AbortSignal.abort(reason) })), reason);
});

test("a passkey that the server does not know is reported to the browser, and others are offered", async () => {
  const { device, tab, passkey } = await withPasskey(plugIn());
  const known = device.passkeys.get(passkey.credential_id);
  await tab.passkeys.remove(passkey.id);
  await aMoment();
  device.told.length = 0;
  const refused = await failure(new Browser().tab().passkeys.signIn());
  assert(isLatchkeyError(refused, "log_in_with_passkey"));
  assert.equal(refused.code, "unknown_passkey");
  const report = ["signalUnknownCredential", { rpId: known?.rpId, credentialId: passkey.credential_id }];
  assert.deepEqual(device.told, [report]);

  const errors: unknown[] = [];
  const offered = new Browser().tab().passkeys.autofill({ onError: (error) => errors.push(error) });
  await until(() => device.offers);
  device.choose();
  await until(() => errors.length === 1 && device.offers);
  assert(isLatchkeyError(errors[0], "log_in_with_passkey") && errors[0].code === "unknown_passkey");
  await tab.logout();
  const { username } = await withPasskey(device);
  await until(() => device.offers);
  device.choose();
  assert.equal((await offered)?.user.username, username);
});

test("without onError, the refusal ends the offer", async () => {
  const { device, tab, passkey } = await withPasskey(plugIn());
  await tab.passkeys.remove(passkey.id);
  const offered = failure(new Browser().tab().passkeys.autofill());
  await until(() => device.offers);
  device.choose();
  const error = await offered;
  assert(isLatchkeyError(error, "log_in_with_passkey") && error.code === "unknown_passkey");
});

/** A client whose server has only options, each good for ten minutes, and how many it has given. */
function offering() {
  let given = 0;
  const fetch: ClientOptions["fetch"] = async () => {
    given += 1;
    const options = { challenge: "AAAA", rpId: "localhost" };
    const body = { options, expires_at: new Date(Date.now() + 600_000).toISOString() };
    return new Response(JSON.stringify(body), { headers: { "Content-Type": "application/json" } });
  };
  return { client: createClient({ fetch }), given: () => given };
}

test("an offer is renewed at three quarters of its life", async () => {
  const device = plugIn();
  const { client, given } = offering();
  const stop = new AbortController();
  mock.timers.enable({ apis: ["setTimeout"] });
  const offered = failure(client.passkeys.autofill({}, stop));
  const turns = async () => { for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate); };
  await turns();
  assert.deepEqual([given(), device.offers], [1, true]);
  mock.timers.tick(440_000);
  await turns();
  assert.equal(given(), 1);
  mock.timers.tick(10_000);
  await turns();
  assert.deepEqual([given(), device.offers, device.asked], [2, true, ["offer", "offer"]]);
  stop.abort();
  await offered;
  mock.timers.tick(600_000);
  await turns();
  assert.equal(given(), 2);
  mock.timers.reset();
});

test("a browser without passkeys, or without them in the autofill, offers none", async () => {
  plugIn(new Device(), ["isConditionalMediationAvailable"]);
  const { client, given } = offering();
  assert.equal(client.passkeys.supported, true);
  assert.equal(await client.passkeys.autofill(), null);
  Object.defineProperty(globalThis, "PublicKeyCredential", { value: undefined, configurable: true });
  const other = offering();
  assert.equal(other.client.passkeys.supported, false);
  assert.equal(await other.client.passkeys.autofill(), null);
  assert.deepEqual([given(), other.given()], [0, 0]);
});

test("a browser that listens to no signal is asked for nothing more", async () => {
  const signals = ["signalAllAcceptedCredentials", "signalCurrentUserDetails", "signalUnknownCredential"] as const;
  const { browser, tab, passkey } = await withPasskey(plugIn(new Device(), [...signals]));
  await tab.passkeys.list();
  await tab.passkeys.remove(passkey.id);
  await aMoment();
  assert.equal(browser.asked("GET /api/passkeys"), 1);
  const error = await failure(new Browser().tab().passkeys.signIn());
  assert(isLatchkeyError(error) && error.code === "unknown_passkey");
});

test("the eleventh passkey, and the last second factor", async () => {
  const { tab, device } = await withPasskey(plugIn());
  for (let more = 2; more <= 10; more++) {
    // Each on a device of its own.
    device.passkeys.clear();
    await tab.passkeys.register();
  }
  const error = await failure(tab.passkeys.register());
  assert(isLatchkeyError(error, "passkey_registration_options"));
  assert.equal(error.code, "limit_reached");
  await tab.secondFactor.turnOn();
  await tab.reauthenticate({ credential: await tab.passkeys.prompt("reauthenticate") });
  const { passkeys } = await tab.passkeys.list();
  assert.equal(passkeys.length, 10);
  const outcomes = await Promise.allSettled(passkeys.map(({ id }) => tab.passkeys.remove(id)));
  const kept = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []));
  assert.equal(kept.length, 1);
  assert(isLatchkeyError(kept[0], "remove_passkey"));
  assert.equal(kept[0].code, "last_second_factor");
});
