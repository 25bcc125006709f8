// A second factor, from the first code of an app to its removal, against a real server.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isLatchkeyError, type Client, type Method, type Step } from "latchkey-client";
import { App } from "./app.js";
import { Browser, failure, loggedIn, PASSWORD, until } from "./browser.js";

/** Somebody with an authenticator app, logged in, and their recovery codes. */
async function withApp() {
  const { username, browser, tab } = await loggedIn();
  const app = new App((await tab.totp.offer()).secret);
  const { recovery_codes } = await tab.totp.confirm({ code: app.code() });
  const credentials = { username, password: PASSWORD };
  return { username, browser, tab, app, recovery_codes, credentials };
}

/** A login that is expected to wait. */
async function refused(tab: Client, credentials: { username: string; password: string }) {
  const error = await failure(tab.login(credentials));
  assert(isLatchkeyError(error, "login"));
  assert.equal(error.code, "second_factor_required");
  return error;
}

test("an app is set up, and the session has two factors at once", async () => {
  const { tab } = await loggedIn();
  const offer = await tab.totp.offer();
  assert.match(offer.qr_svg, /^<svg/);
  assert(offer.otpauth_uri.includes(offer.secret));
  const app = new App(offer.secret);
  const typo = await failure(tab.totp.confirm({ code: app.wrong() }));
  assert(isLatchkeyError(typo, "confirm_totp"));
  assert.equal(typo.errors.code?.[0].code, "incorrect");
  assert.equal(tab.session.user?.session.factors, 1);
  const { recovery_codes, revoked } = await tab.totp.confirm({ code: app.code() });
  assert.deepEqual([recovery_codes.length, revoked], [10, 0]);
  assert.equal(tab.session.user?.session.factors, 2);
  const again = await failure(tab.totp.offer());
  assert(isLatchkeyError(again, "offer_totp") && again.code === "already_enabled");
});

test("a login says what it waits for, counts wrong codes, and goes on with the right one", async () => {
  const { credentials, username, app } = await withApp();
  const tab = new Browser().tab();
  const error = await refused(tab, { ...credentials, ...{ next: "/profile" } });
  assert.deepEqual(error.methods, ["totp", "recovery_code"]);
  assert(Date.parse(error.expires_at ?? "") > Date.now());
  assert.notEqual(error.message, "");
  assert.equal(await tab.me(), null);

  const wrong = await failure(tab.login.secondFactor({ code: app.wrong() }));
  assert(isLatchkeyError(wrong, "second_factor"));
  assert.deepEqual([wrong.code, wrong.tries_left], ["invalid_code", 4]);
  const answer = await tab.login.secondFactor({ code: app.code() });
  assert.equal(answer.redirect_to, "/profile");
  assert.deepEqual(answer.session.methods, ["password", "totp"]);
  assert.equal(tab.session.user?.username, username);
});

test("after five wrong codes the login starts again", async () => {
  const { credentials, app } = await withApp();
  const tab = new Browser().tab();
  await refused(tab, credentials);
  for (const left of [4, 3, 2, 1, 0]) {
    const wrong = await failure(tab.login.secondFactor({ code: app.wrong() }));
    assert(isLatchkeyError(wrong, "second_factor"));
    assert.equal(wrong.tries_left, left);
    assert.equal(tab.step === null, left === 0);
  }
});

test("a recovery code logs in once, and a trusted browser is not asked again", async () => {
  const { credentials, recovery_codes } = await withApp();
  const [code = ""] = recovery_codes;
  const browser = new Browser();
  const tab = browser.tab();
  await refused(tab, credentials);
  const answer = await tab.login.secondFactor({ recovery_code: code.toUpperCase(), trust_device: true });
  assert.equal(answer.recovery_codes_left, 9);
  const [device, ...others] = await tab.trustedDevices.list();
  assert.deepEqual(others, []);

  await tab.logout();
  await tab.login(credentials);
  await tab.trustedDevices.forget(device?.id ?? "");
  await tab.logout();
  await refused(tab, credentials);
  const used = await failure(tab.login.secondFactor({ recovery_code: code }));
  assert(isLatchkeyError(used, "second_factor") && used.code === "invalid_code");
  await tab.login.secondFactor({ recovery_code: recovery_codes[1] ?? "", trust_device: true });
  await tab.trustedDevices.forgetAll();
  assert.deepEqual(await tab.trustedDevices.list(), []);
});

test("whoever listens hears of the step, also in a page that was loaded again, until it is over", async () => {
  const { credentials, app } = await withApp();
  const browser = new Browser();
  const tab = browser.tab();
  const told: (Step | null)[] = [];
  const stop = tab.onStep((step) => void told.push(step));
  const error = await refused(tab, credentials);
  const step = { kind: "second_factor", methods: error.methods, expires_at: error.expires_at };
  assert.deepEqual(told, [null, step]);
  assert.deepEqual(tab.step, step);
  await failure(tab.login.secondFactor({ code: app.wrong() }));
  assert.deepEqual(told.at(-1), { ...step, tries_left: 4 });

  const again = browser.tab();
  assert.equal(again.step, null);
  const stopAgain = again.onStep(() => {});
  await until(() => again.step !== null);
  assert.deepEqual(again.step, { ...step, tries_left: 4 });
  await again.login.secondFactor({ code: app.code() });
  assert.equal(again.step, null);

  // This tab has not heard of it.
  const late = await failure(tab.login.secondFactor({ code: app.code() }));
  assert(isLatchkeyError(late, "second_factor"));
  assert.equal(late.code, "step_expired");
  assert.equal(told.at(-1), null);
  stop();
  stopAgain();
  await new Browser().tab().login(credentials).catch(() => {});
  assert.equal(told.length, 4);
});

test("a step that another tab has completed is gone when somebody listens again", async () => {
  const { credentials, app } = await withApp();
  const browser = new Browser();
  const tab = browser.tab();
  await refused(tab, credentials);
  await browser.tab().login.secondFactor({ code: app.code() });
  assert.notEqual(tab.step, null);
  const stop = tab.onStep(() => {});
  await until(() => tab.step === null);
  stop();
});

test("an answer from before a login does not hide its step", async () => {
  const { credentials } = await withApp();
  const browser = new Browser();
  let answer = () => {};
  const held = new Promise<void>((resolve) => (answer = resolve));
  const tab = browser.tab({
    fetch: async (url, init) => {
      const answer = await browser.fetch(url, init);
      if (url.endsWith("/api/login/step")) await held;
      return answer;
    },
  });
  const asked = tab.login.step();
  await until(() => browser.asked("GET /api/login/step") === 1);
  await refused(tab, credentials);
  answer();
  assert.equal((await asked)?.kind, "second_factor");
  assert.equal(tab.step?.kind, "second_factor");
});

test("a login may be given up", async () => {
  const { credentials, app } = await withApp();
  const tab = new Browser().tab();
  assert.equal(await tab.login.step(), null);
  await refused(tab, credentials);
  assert.equal((await tab.login.step())?.tries_left, 5);
  assert.equal(await tab.login.cancel(), undefined);
  assert.equal(tab.step, null);
  assert.equal(await tab.login.step(), null);
  const error = await failure(tab.login.secondFactor({ code: app.code() }));
  assert(isLatchkeyError(error, "second_factor") && error.code === "step_expired");
});

test("who is asked again learns what would do, and sends the code with the password", async () => {
  const { browser, app, recovery_codes } = await withApp();
  let stale = true;
  const asked: (readonly Method[])[] = [];
  const tab = browser.tab({
    fetch: async (url, init) => {
      if (!stale || !url.endsWith("/api/me/export")) return browser.fetch(url, init);
      const problem = { code: "reauthentication_required", methods: ["password", "totp"], max_age: 900 };
      const headers = { "Content-Type": "application/problem+json" };
      return new Response(JSON.stringify(problem), { status: 403, headers });
    },
    async onReauthenticate(methods) {
      asked.push(methods);
      const error = await failure(tab.reauthenticate({ password: PASSWORD }));
      assert(isLatchkeyError(error, "reauthenticate"));
      assert.deepEqual([error.code, error.methods], ["second_factor_required", ["totp", "recovery_code"]]);
      const typo = await failure(tab.reauthenticate({ password: PASSWORD, code: app.wrong() }));
      assert(isLatchkeyError(typo, "reauthenticate"));
      assert.equal(typo.errors.code?.[0].code, "incorrect");
      await tab.reauthenticate({ password: PASSWORD, recovery_code: recovery_codes[0] ?? "" });
      stale = false;
      return true;
    },
  });
  await tab.me();
  await tab.export();
  assert.deepEqual(asked, [["password", "totp"]]);
  // It is no login.
  assert.equal(tab.step, null);
});

test("an administrator resets a second factor, and a password is enough again", async () => {
  const { credentials } = await withApp();
  const { tab } = await loggedIn("admin");
  const { users } = await tab.admin.users.find({ q: credentials.username });
  const [user] = users.filter(({ username }) => username === credentials.username);
  assert.equal(await tab.admin.users.resetSecondFactor(user?.id ?? ""), undefined);
  await new Browser().tab().login(credentials);
});

test("recovery codes are renewed, and the second factor goes", async () => {
  const { tab, username, credentials, recovery_codes } = await withApp();
  const renewed = await tab.recoveryCodes.renew();
  assert.equal(renewed.recovery_codes.length, 10);
  assert(!recovery_codes.includes(renewed.recovery_codes[0] ?? ""));
  const other = new Browser().tab();
  await refused(other, credentials);
  await failure(other.login.secondFactor({ recovery_code: recovery_codes[0] ?? "" }));
  await other.login.secondFactor({ recovery_code: renewed.recovery_codes[0] ?? "" });

  const kept = await tab.totp.remove({ end_other_sessions: false });
  assert.deepEqual(kept, { revoked: 0, second_factor_required: false });
  assert.equal(tab.session.user?.session.factors, 1);
  assert.equal((await other.me())?.username, username);
  const off = await failure(tab.secondFactor.turnOff());
  assert(isLatchkeyError(off, "turn_off") && off.code === "no_second_factor");
  const passkeys = await failure(tab.secondFactor.turnOn());
  assert(isLatchkeyError(passkeys, "turn_on") && passkeys.code === "no_second_factor");

  const app = new App((await tab.totp.offer()).secret);
  assert.equal((await tab.totp.confirm({ code: app.code() })).revoked, 1);
  assert.equal(await other.me(), null);
  assert.equal((await tab.secondFactor.turnOff({ end_other_sessions: true })).second_factor_required, false);
  await new Browser().tab().login(credentials);
});
