// Accounts at providers: what the client makes of the answers. The server's own tests go to a provider and back.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isLatchkeyError } from "latchkey-client";
import { Browser, failure, loggedIn } from "./browser.js";

const json = (body: object, status = 200) =>
  new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json" } });

const STEP = {
  kind: "choose_username", methods: [], tries_left: 5, expires_at: "2030-01-01T00:00:00Z", provider: "google",
};

/** A browser that has come back from a provider, and its tab. */
async function newcomer(chosen: () => Response) {
  const browser = new Browser();
  const tab = browser.tab();
  browser.answers = (url) => {
    if (url.endsWith("/api/login/step")) return json(STEP);
    return url.endsWith("/api/login/choose-username") ? chosen() : undefined;
  };
  assert.equal((await tab.login.step())?.provider, "google");
  return { browser, tab };
}

test("a journey begins at the provider's path", async () => {
  const browser = new Browser();
  browser.answers = () => json({ authorization_url: "https://provider.example/" });
  const answer = await browser.tab().providers.start("a b", { intent: "login", next: "/profile" });
  assert.equal(answer.authorization_url, "https://provider.example/");
  assert.equal(browser.asked("POST /api/oidc/a%20b/start"), 1);
});

test("an unknown provider is refused", async () => {
  const error = await failure(new Browser().tab().providers.start("nobody", { intent: "login" }));
  assert(isLatchkeyError(error, "start_oidc"));
  assert.equal(error.code, "item_not_found");
});

test("whoever chooses a name is logged in, and the step is over", async () => {
  const { tab: other } = await loggedIn();
  const me = await other.me();
  assert(me);
  const { session, ...user } = me;
  const { tab } = await newcomer(() => json({ user, session, redirect_to: "/" }));
  const answer = await tab.login.chooseUsername({ username: me.username });
  assert("session" in answer);
  assert.equal(answer.redirect_to, "/");
  assert.equal(tab.step, null);
  assert.equal(tab.session.status, "in");
});

test("whoever must confirm an address is told so, and is not logged in", async () => {
  const { tab } = await newcomer(() => json({ message: "Please open the mail." }, 202));
  const answer = await tab.login.chooseUsername({ username: "susan", email: "susan@example.com" });
  assert("message" in answer);
  assert.equal(answer.message, "Please open the mail.");
  assert.equal(tab.step, null);
  assert.notEqual(tab.session.status, "in");
});

test("a step that is over is known to be", async () => {
  const { browser, tab } = await newcomer(() => json({}));
  browser.answers = () => undefined;
  const error = await failure(tab.login.chooseUsername({ username: "susan" }));
  assert(isLatchkeyError(error, "choose_username"));
  assert.equal(error.code, "step_expired");
  assert.equal(tab.step, null);
});

test("identities are listed and removed", async () => {
  const { tab } = await loggedIn();
  assert.deepEqual(await tab.identities.list(), []);
  const error = await failure(tab.identities.remove("00000000-0000-4000-8000-000000000000"));
  assert(isLatchkeyError(error, "remove_identity"));
  assert.equal(error.code, "item_not_found");
});
