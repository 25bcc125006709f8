// The README's programs, run in a page against a real server.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Window } from "happy-dom";
import { App } from "./app.js";
import { Browser, loggedIn, PASSWORD, somebody, until, url } from "./browser.js";
import { Device, publicKeyCredential } from "./device.js";

const window = new Window();
const { document, navigator, Element, SVGElement, FormData } = window;
let browser = new Browser();
const device = new Device();
Object.defineProperty(navigator, "credentials", { value: device });
const visited: string[] = [];
const page = {
  window, document, navigator, Element, SVGElement, FormData,
  location: { assign: (to: string) => void visited.push(to) },
  prompt: () => PASSWORD,
  confirm: () => true,
  PublicKeyCredential: publicKeyCredential(device),
};
// Newer versions of Node have a navigator that cannot be assigned.
for (const [name, value] of Object.entries(page)) Object.defineProperty(globalThis, name, { value });
const fetch = globalThis.fetch;
globalThis.fetch = (input, init) =>
  String(input).startsWith("/") ? browser.fetch(`${url}${String(input)}`, init ?? {}) : fetch(input, init);

test("the README's programs do what it says", async () => {
  const [signingIn, registering, listening, react, vue] = await programs(1, 2, 3, 4, 5);
  const username = await somebody();
  assert.equal(
    await registering.register({ username, email: `x-${username}@example.com`, password: PASSWORD }),
    "Please use a different username.",
  );
  const place = globalThis.document.createElement("div");
  const { createElement } = await import("react");
  (await import("react-dom/client")).createRoot(place).render(createElement(react.Greeting));
  await until(() => place.textContent === "Login");
  const other = globalThis.document.createElement("div");
  (await import("vue")).createApp(vue.Greeting).mount(other);
  assert.equal(other.textContent, "Hi, stranger!");
  await until(() => visited[0] === "/login");

  await signingIn.signIn(username, PASSWORD, "/profile");
  assert.deepEqual(visited, ["/login", "/profile"]);
  await until(() => document.title === `Hi, ${username}!`);
  await until(() => place.textContent === `Hi, ${username}!` && other.textContent === `Hi, ${username}!`);
  listening.stop();
});

test("the README's second step, and its setting up of an app", async () => {
  const [{ LoginPage }, { setUp }] = await programs(6, 7);
  const person = await loggedIn();
  browser = person.browser;
  let app: App | undefined;
  const codes = await setUp(async (svg: string, secret: string) => {
    assert.match(svg, /^<svg/);
    app = new App(secret);
    return app.code();
  });
  assert.equal(codes.length, 10);
  // A browser that has not seen them yet.
  browser = new Browser();
  visited.length = 0;
  await browser.tab().login({ username: person.username, password: PASSWORD, next: "/second" }).catch(() => {});

  const place = globalThis.document.createElement("div");
  globalThis.document.body.append(place);
  const { createElement } = await import("react");
  const page = (await import("react-dom/client")).createRoot(place);
  page.render(createElement(LoginPage, { form: "a form" }));
  await until(() => place.querySelector("form") !== null);
  const type = (code: string) => {
    place.querySelector<HTMLInputElement>("[name=code]")!.value = code;
    place.querySelector("button")!.click();
  };
  type(app?.wrong() ?? "");
  await until(() => place.querySelector("[role=alert]")?.textContent !== "");
  assert.deepEqual(visited, []);
  type(codes[0]);
  await until(() => visited[0] === "/second");
  await until(() => place.textContent === "a form");
  page.unmount();
});

test("the README's passkeys, in the autofill and by a button", async () => {
  const [{ PasskeyLogin }, { addPasskey }] = await programs(8, 9);
  browser = (await loggedIn()).browser;
  const remove = await addPasskey("My phone");
  const owner = browser;
  const { createElement } = await import("react");
  const place = globalThis.document.createElement("div");
  globalThis.document.body.append(place);
  for (const choose of [() => device.choose(), () => place.querySelector("button")?.click()]) {
    browser = new Browser();
    visited.length = 0;
    const page = (await import("react-dom/client")).createRoot(place);
    page.render(createElement(PasskeyLogin, { next: "/passkey" }));
    await until(() => device.offers);
    choose();
    await until(() => visited.length === 1);
    assert.deepEqual(visited, ["/passkey"]);
    page.unmount();
  }
  browser = owner;
  assert.deepEqual(await remove(), { revoked: 2 });
});

test("the README's way to a provider, and a name for who is new", async () => {
  const [{ leaveFor, choose }] = await programs(10);
  browser = new Browser();
  visited.length = 0;
  const json = (body: object) =>
    new Response(JSON.stringify(body), { headers: { "Content-Type": "application/json" } });
  browser.answers = (url) => {
    if (url.endsWith("/api/oidc/google/start")) return json({ authorization_url: "https://provider.example/" });
    return url.endsWith("/choose-username") ? json({ message: "Please open the mail." }) : undefined;
  };
  await leaveFor("google", "/profile");
  assert.deepEqual(visited, ["https://provider.example/"]);
  assert.equal(await choose("susan", "susan@example.com"), "Please open the mail.");
});

test("the README's proof that it is you", async () => {
  const [{ download }] = await programs(11);
  const person = await loggedIn();
  browser = person.browser;
  await person.tab.passkeys.register();
  let stale = true;
  browser.answers = (url) => {
    if (url.endsWith("/api/reauthenticate")) stale = false;
    if (!stale || !url.endsWith("/api/me/export")) return undefined;
    const problem = { code: "reauthentication_required", methods: ["password", "passkey"] };
    const headers = { "Content-Type": "application/problem+json" };
    return new Response(JSON.stringify(problem), { status: 403, headers });
  };
  assert.equal((await download()).user.username, person.username);
  assert.equal(browser.asked("POST /api/reauthenticate"), 1);
});

/** Those of the README's programs, in its order. */
async function programs(...numbers: number[]) {
  return Promise.all(numbers.map((number) => import(`./readme/${number}.js`)));
}
