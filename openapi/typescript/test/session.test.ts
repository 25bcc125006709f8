// Who is logged in, over tabs and through bad answers.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { createClient, isLatchkeyError, type SessionState } from "latchkey-client";
import { aMoment, Browser, failure, loggedIn, PASSWORD, somebody, until, url } from "./browser.js";

/** Notes what a tab is told. */
function listen(tab: ReturnType<typeof createClient>) {
  const told: SessionState["status"][] = [];
  return { told, stop: tab.onSession(({ status }) => void told.push(status)) };
}

const refusal = () =>
  new Response('{"code":"not_authenticated","detail":"Please log in."}', {
    status: 401,
    headers: { "Content-Type": "application/problem+json" },
  });

test("login and logout are told to all tabs of a browser", async () => {
  const username = await somebody();
  const browser = new Browser();
  const [one, two] = [browser.tab(), browser.tab()];
  const [first, second] = [listen(one), listen(two)];
  await until(() => one.session.status === "out" && two.session.status === "out");
  await one.login({ username, password: PASSWORD });
  await until(() => two.session.status === "in");
  assert.equal(two.session.user?.username, username);
  await two.logout();
  await until(() => one.session.status === "out");
  for (const { told, stop } of [first, second]) {
    assert.deepEqual(told, ["loading", "out", "in", "out"]);
    stop();
  }
});

test("a tab that listens to nothing tells the others all the same", async () => {
  const username = await somebody();
  const browser = new Browser();
  const { told, stop } = listen(browser.tab());
  await until(() => told.at(-1) === "out");
  await browser.tab().login({ username, password: PASSWORD });
  await until(() => told.at(-1) === "in");
  stop();
});

test("who has stopped listening hears nothing, and asks again when they listen again", async () => {
  const { tab, browser } = await loggedIn();
  const { told, stop } = listen(tab);
  stop();
  await browser.tab().logout();
  await aMoment();
  assert.deepEqual(told, ["in"]);
  const again = listen(tab);
  await until(() => again.told.at(-1) === "out");
  again.stop();
});

test("one listener may listen twice", async () => {
  const { tab } = await loggedIn();
  const told: string[] = [];
  const listener = ({ status }: SessionState) => void told.push(status);
  const [stop, other] = [tab.onSession(listener), tab.onSession(listener)];
  stop();
  await tab.logout();
  other();
  assert.deepEqual(told, ["in", "in", "out"]);
});

test("a session that was revoked elsewhere ends here, in all tabs, and several 401s ask once", async () => {
  const { username, browser, tab } = await loggedIn();
  const other = browser.tab();
  const listeners = [listen(tab), listen(other)];
  await until(() => other.session.status === "in" && browser.asked("GET /api/me") === 2);
  const elsewhere = new Browser().tab();
  await elsewhere.login({ username, password: PASSWORD });
  await elsewhere.sessions.revokeOthers();
  browser.requests.length = 0;

  const errors = await Promise.all([tab.sessions.list(), tab.events(), tab.loginMethods()].map(failure));
  for (const error of errors) assert(isLatchkeyError(error) && error.code === "not_authenticated");
  assert.equal(tab.session.status, "out");
  await until(() => other.session.status === "out");
  // One of this tab, one of the other, which was told.
  assert.equal(browser.asked("GET /api/me"), 2);
  assert.equal(browser.requests.length, 5);
  for (const { stop } of listeners) stop();
});

test("a 401 that is not true is not believed, and the call is made again", async () => {
  const { browser } = await loggedIn();
  let lies = 1;
  const tab = browser.tab({
    fetch: (url, init) => (url.endsWith("/api/sessions") && lies-- > 0 ? Promise.resolve(refusal()) : browser.fetch(url, init)),
  });
  const { told, stop } = listen(tab);
  await until(() => tab.session.status === "in");
  assert.equal((await tab.sessions.list()).length, 1);
  // Even if it is told again.
  lies = 2;
  const error = await failure(tab.sessions.list());
  assert(isLatchkeyError(error) && error.code === "not_authenticated");
  assert.deepEqual(told, ["loading", "in"]);
  stop();
});

test("a 401 of me itself is believed when it comes twice", async () => {
  const { browser } = await loggedIn();
  let lies = 0;
  const tab = browser.tab({
    fetch: (url, init) => (url.endsWith("/api/me") && lies-- > 0 ? Promise.resolve(refusal()) : browser.fetch(url, init)),
  });
  await tab.me();
  lies = 1;
  assert.notEqual(await tab.me(), null);
  assert.equal(tab.session.status, "in");
  lies = 2;
  assert.equal(await tab.me(), null);
  assert.equal(tab.session.status, "out");
});

test("an answer that was on its way during a login changes nothing", async () => {
  const username = await somebody();
  const browser = new Browser();
  const held = hold();
  let late = true;
  const tab = browser.tab({
    fetch: async (url, init) => {
      const answer = await browser.fetch(url, init);
      if (url.endsWith("/api/me") && late) await held.promise;
      return answer;
    },
  });
  const { told, stop } = listen(tab);
  const asked = tab.me();
  await until(() => browser.asked("GET /api/me") === 2);
  await tab.login({ username, password: PASSWORD });
  late = false;
  held.resolve();
  assert.equal(await asked, null);
  assert.equal((await tab.me())?.username, username);
  assert.deepEqual(told, ["loading", "in"]);
  stop();
});

test("who hears of a change does not trust an answer from before it", async () => {
  const { browser, tab } = await loggedIn();
  const held = hold();
  let late = true;
  const other = browser.tab({
    fetch: async (url, init) => {
      const answer = await browser.fetch(url, init);
      if (late) await held.promise;
      return answer;
    },
  });
  const { stop } = listen(other);
  await until(() => browser.asked("GET /api/me") === 1);
  late = false;
  await tab.logout();
  await until(() => other.session.status === "out");
  held.resolve();
  await aMoment();
  assert.equal(other.session.status, "out");
  stop();
});

test("tabs are told of changes, not of every answer", async () => {
  const { browser, tab } = await loggedIn();
  const other = browser.tab();
  const { stop } = listen(other);
  await until(() => other.session.status === "in");
  await tab.me();
  await aMoment();
  assert.equal(browser.asked("GET /api/me"), 2);
  stop();
});

test("without an answer nobody knows, until there is one", async () => {
  const { browser, username } = await loggedIn();
  let reachable = false;
  const fetch: typeof browser.fetch = (url, init) =>
    reachable ? browser.fetch(url, init) : Promise.reject(new TypeError("fetch failed"));
  const tab = browser.tab({ fetch });
  const { told, stop } = listen(tab);
  await until(() => tab.session.status === "failed");
  reachable = true;
  assert.equal((await tab.me())?.username, username);
  // Who is known to be logged in stays so.
  reachable = false;
  assert((await failure(tab.me())) instanceof TypeError);
  assert.deepEqual(told, ["loading", "failed", "in"]);
  stop();
});

test("who logs in while logged in learns that they are", async () => {
  const { browser, username } = await loggedIn();
  const tab = browser.tab();
  const error = await failure(tab.login({ username, password: PASSWORD }));
  assert(isLatchkeyError(error) && error.code === "already_authenticated");
  assert.equal(tab.session.user?.username, username);
});

test("the password is asked for again once, and then the calls are made again", async () => {
  const { browser } = await loggedIn();
  let stale = true;
  let questions = 0;
  const tab = browser.tab({
    fetch: async (url, init) => {
      if (url.endsWith("/api/reauthenticate")) stale = false;
      if (!stale || !url.endsWith("/api/me/export")) return browser.fetch(url, init);
      return new Response('{"code":"reauthentication_required","max_age":900}', {
        status: 403,
        headers: { "Content-Type": "application/problem+json" },
      });
    },
    async onReauthenticate() {
      questions += 1;
      if (questions === 1) return false;
      await tab.reauthenticate({ password: PASSWORD });
      return true;
    },
  });
  await tab.me();
  const before = tab.session.user?.session.authenticated_at ?? "";
  const error = await failure(tab.export());
  assert(isLatchkeyError(error, "export_data"));
  assert.deepEqual([error.code, error.max_age], ["reauthentication_required", 900]);
  const exports = await Promise.all([tab.export(), tab.export()]);
  assert.equal(exports[0].user.username, exports[1].user.username);
  assert.equal(questions, 2);
  assert((tab.session.user?.session.authenticated_at ?? "") > before);
});

test("on a server, a client that listens does not keep the process alive", async () => {
  const program = `
    import { createClient } from "latchkey-client";
    const client = createClient({ baseUrl: ${JSON.stringify(url)} });
    client.onSession(({ status }) => console.log(status));
  `;
  const node = ["--input-type=module", "--eval", program];
  const { stdout } = await promisify(execFile)(process.execPath, node, { timeout: 20_000 });
  assert.equal(stdout, "loading\nout\n");
});

function hold() {
  let resolve = () => {};
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}
