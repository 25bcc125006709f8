// The hooks, rendered in a DOM, against a real server.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Window } from "happy-dom";
import type { Client, SessionState, Step } from "latchkey-client";
import { App } from "./app.js";
import { Device, publicKeyCredential } from "./device.js";
import { aMoment, Browser, loggedIn, PASSWORD, somebody, until } from "./browser.js";

const window = new Window();
const { document, navigator, Element, SVGElement } = window;
const device = new Device();
Object.defineProperty(navigator, "credentials", { value: device });
const PublicKeyCredential = publicKeyCredential(device);
for (const [name, value] of Object.entries({ window, document, navigator, Element, SVGElement, PublicKeyCredential })) {
  // Newer versions of Node have a navigator that cannot be assigned.
  Object.defineProperty(globalThis, name, { value });
}
// They look for a DOM when they are imported.
const react = await import("react");
const { flushSync } = await import("react-dom");
const { createRoot } = await import("react-dom/client");
const { renderToString } = await import("react-dom/server");
const vue = await import("vue");
const vueServer = await import("vue/server-renderer");
const { useSession: useInReact, useLoginStep: useStepInReact, usePasskeyAutofill: useAutofillInReact } = await import(
  "latchkey-client/react"
);
const { useSession: useInVue, useLoginStep: useStepInVue, usePasskeyAutofill: useAutofillInVue } = await import(
  "latchkey-client/vue"
);

const shown = ({ status, user }: SessionState) => `${status} ${user?.username ?? "nobody"}`;

/** A page that shows who is logged in, through login and logout in another tab. */
async function follows(browser: Browser, mount: (client: Client, place: HTMLElement) => () => void) {
  const username = await somebody();
  const place = globalThis.document.createElement("div");
  const unmount = mount(browser.tab(), place);
  assert.equal(place.textContent, "loading nobody");
  await until(() => place.textContent === "out nobody");
  const other = browser.tab();
  await other.login({ username, password: PASSWORD });
  await until(() => place.textContent === `in ${username}`);
  await other.logout();
  await until(() => place.textContent === "out nobody");

  unmount();
  browser.requests.length = 0;
  await other.login({ username, password: PASSWORD });
  await aMoment();
  assert.deepEqual(browser.requests, ["POST /api/login"]);
}

test("React renders who is logged in", async () => {
  const browser = new Browser();
  await follows(browser, (client, place) => {
    const Page = () => react.createElement("p", null, shown(useInReact(client)));
    const root = createRoot(place);
    flushSync(() => root.render(react.createElement(react.StrictMode, null, react.createElement(Page))));
    return () => root.unmount();
  });
});

test("Vue renders who is logged in", async () => {
  await follows(new Browser(), (client, place) => {
    const app = vue.createApp({
      setup() {
        const session = useInVue(client);
        return () => vue.h("p", shown(session.value));
      },
    });
    app.mount(place);
    return () => app.unmount();
  });
});

/** A page that shows which login waits: one that began before the page was there, and one that begins afterwards. */
async function showsTheStep(mount: (client: Client, place: HTMLElement) => () => void) {
  const { username, tab } = await loggedIn();
  const app = new App((await tab.totp.offer()).secret);
  await tab.totp.confirm({ code: app.code() });
  const browser = new Browser();
  const client = browser.tab();
  const login = () => browser.tab().login({ username, password: PASSWORD }).catch(() => {});
  await login();
  const place = globalThis.document.createElement("div");
  const unmount = mount(client, place);
  assert.equal(place.textContent, "no step");
  await until(() => place.textContent === "totp recovery_code");
  await client.login.cancel();
  await until(() => place.textContent === "no step");
  await client.login({ username, password: PASSWORD }).catch(() => {});
  await until(() => place.textContent === "totp recovery_code");
  await client.login.secondFactor({ code: app.code() });
  await until(() => place.textContent === "no step");
  unmount();
}

const waits = (step: Step | null) => step?.methods.join(" ") ?? "no step";

test("React renders the login that waits", async () => {
  await showsTheStep((client, place) => {
    const Page = () => react.createElement("p", null, waits(useStepInReact(client)));
    const root = createRoot(place);
    flushSync(() => root.render(react.createElement(react.StrictMode, null, react.createElement(Page))));
    return () => root.unmount();
  });
});

test("Vue renders the login that waits", async () => {
  await showsTheStep((client, place) => {
    const app = vue.createApp({
      setup() {
        const step = useStepInVue(client);
        return () => vue.h("p", waits(step.value));
      },
    });
    app.mount(place);
    return () => app.unmount();
  });
});

type Wish = Parameters<typeof useAutofillInReact>[1];

/** A page that offers passkeys: another after one that was refused, and none when the page is gone. */
async function offers(mount: (client: Client, wish: Wish) => () => void) {
  const { tab, username } = await loggedIn();
  const { id } = await tab.passkeys.register();
  await tab.passkeys.remove(id);
  const told: string[] = [];
  const wish: Wish = {
    next: "/profile",
    onLogin: ({ user, redirect_to }) => void told.push(`${user.username} ${redirect_to}`),
    onError: (error) => void told.push((error as { code: string }).code),
  };
  let unmount = mount(new Browser().tab(), wish);
  await until(() => device.offers);
  device.choose();
  await until(() => told.length === 1 && device.offers);
  await tab.passkeys.register().catch(() => assert.fail("it could not be made"));
  // A prompt has come in between.
  await until(() => device.offers);
  device.choose();
  await until(() => told.length === 2);
  assert.deepEqual(told, ["unknown_passkey", `${username} /profile`]);
  unmount();

  unmount = mount(new Browser().tab(), wish);
  await until(() => device.offers);
  unmount();
  assert.equal(device.offers, false);
  await aMoment();
  assert.deepEqual([device.offers, told.length], [false, 2]);
}

test("React offers passkeys in the autofill", async () => {
  await offers((client, wish) => {
    const Page = () => (useAutofillInReact(client, { ...wish }), null);
    const root = createRoot(globalThis.document.createElement("div"));
    flushSync(() => root.render(react.createElement(react.StrictMode, null, react.createElement(Page))));
    return () => flushSync(() => root.unmount());
  });
});

test("Vue offers passkeys in the autofill", async () => {
  await offers((client, wish) => {
    const setup = () => (useAutofillInVue(client, wish), () => vue.h("p"));
    const app = vue.createApp({ setup });
    app.mount(globalThis.document.createElement("div"));
    return () => app.unmount();
  });
});

test("outside a component, Vue's hook lives as long as its scope", async () => {
  const browser = new Browser();
  const scope = vue.effectScope();
  const session = scope.run(() => useInVue(browser.tab()));
  await until(() => session?.value.status === "out");
  scope.stop();
  browser.requests.length = 0;
  await browser.tab().login({ username: await somebody(), password: PASSWORD });
  await aMoment();
  assert.deepEqual(browser.requests, ["POST /api/login"]);
});

test("on a server both render loading, and ask nobody", async () => {
  const browser = new Browser();
  const client = browser.tab();
  const Page = () => react.createElement("p", null, shown(useInReact(client)));
  assert.equal(renderToString(react.createElement(Page)), "<p>loading nobody</p>");
  const app = vue.createSSRApp({
    setup() {
      const session = useInVue(client);
      return () => vue.h("p", shown(session.value));
    },
  });
  assert.equal(await vueServer.renderToString(app), "<p>loading nobody</p>");
  await aMoment();
  assert.deepEqual(browser.requests, []);
  // What a browser hydrates must not depend on what the server's client has done.
  await client.login({ username: await somebody(), password: PASSWORD });
  assert.equal(renderToString(react.createElement(Page)), "<p>loading nobody</p>");
});
