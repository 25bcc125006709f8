// One call at a time against a real server: what comes out, and how it fails.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient, isLatchkeyError } from "latchkey-client";
import { Browser, failure, loggedIn, operator, PASSWORD, somebody, url } from "./browser.js";

test("somebody registers, logs in, is somebody, logs out, is nobody", async () => {
  const tab = new Browser().tab();
  const username = `susan-${process.pid}`;
  const user = await tab.register({ username, email: `${username}@example.com`, password: PASSWORD });
  assert.equal(user.username, username);
  assert.equal(await tab.me(), null);
  const answer = await tab.login({ username, password: PASSWORD, remember_me: true, next: "/profile" });
  assert.equal(answer.redirect_to, "/profile");
  assert.equal(answer.session.remembered, true);
  assert.equal((await tab.me())?.username, username);
  assert.equal(await tab.logout(), undefined);
  assert.equal(await tab.me(), null);
});

test("errors of registering come by field", async () => {
  const username = (await somebody()).toUpperCase();
  const form = { username, email: "susan@", password: "password1", password2: "password2" };
  const error = await failure(new Browser().tab().register(form));
  assert(isLatchkeyError(error, "register"));
  assert(error instanceof Error);
  assert.equal(isLatchkeyError(error, "login"), false);
  assert.equal(error.code, "validation_failed");
  assert.equal(error.status, 422);
  assert.equal(error.message, "4 fields need attention.");
  assert.equal(error.errors.username?.[0].code, "taken");
  assert.equal(error.errors.username?.[0].message, "Please use a different username.");
  assert.equal(error.errors.email?.[0].code, "invalid");
  assert.equal(error.errors.password?.[0].code, "too_weak");
  assert.equal(error.errors.password2?.[0].code, "mismatch");
  assert.match(error.requestId ?? "", /^[0-9a-f-]{36}$/);
});

test("a wrong password has the server's words", async () => {
  const error = await failure(new Browser().tab().login({ username: await somebody(), password: "wrong" }));
  assert(isLatchkeyError(error, "login"));
  assert.equal(error.code, "invalid_credentials");
  assert.equal(error.message, "Your username or password is not correct.");
  assert.deepEqual(error.errors, {});
  assert.equal(error.retryAfter, undefined);
});

test("too many wrong passwords say how long to wait", async () => {
  const tab = new Browser().tab();
  const username = await somebody();
  let error: unknown;
  for (let attempt = 0; attempt < 6; attempt++) error = await failure(tab.login({ username, password: "wrong" }));
  assert(isLatchkeyError(error, "login"));
  assert.equal(error.code, "rate_limited");
  assert(error.retryAfter !== undefined && error.retryAfter > 0 && error.retryAfter <= 301);
});

test("members of a problem keep their names", async () => {
  const stranger = await failure(new Browser().tab().sessions.list());
  assert(isLatchkeyError(stranger, "list_sessions"));
  assert.equal(stranger.code, "not_authenticated");
  assert.match(stranger.login_url ?? "", /^\/login/);
  const { tab } = await loggedIn();
  const user = await failure(tab.admin.roles());
  assert(isLatchkeyError(user, "list_roles"));
  assert.deepEqual([user.code, user.needs], ["forbidden", ["admin"]]);
});

test("sessions are listed and revoked", async () => {
  const { username, tab } = await loggedIn();
  const [phone, laptop] = [new Browser().tab(), new Browser().tab()];
  for (const other of [phone, laptop]) await other.login({ username, password: PASSWORD });
  const list = await tab.sessions.list();
  assert.equal(list.length, 3);
  assert.equal(list.filter((session) => session.current).length, 1);
  await tab.sessions.revoke((await phone.me())?.session.id ?? "");
  assert.equal(await phone.me(), null);
  assert.deepEqual(await tab.sessions.revokeOthers(), { revoked: 1 });
  assert.equal(await laptop.me(), null);
  const gone = await failure(tab.sessions.revoke("00000000-0000-4000-8000-000000000000"));
  assert(isLatchkeyError(gone, "revoke_session"));
  assert.equal(gone.code, "session_not_found");
});

test("the password changes, and its errors come by field", async () => {
  const { username, tab } = await loggedIn();
  const new_password = "seven-Boats-under-9-moons";
  const error = await failure(tab.password.change({ current_password: "wrong", new_password }));
  assert(isLatchkeyError(error, "change_password"));
  assert.equal(error.errors.current_password?.[0].code, "incorrect");
  assert.deepEqual(await tab.password.change({ current_password: PASSWORD, new_password }), { revoked: 0 });
  const again = await new Browser().tab().login({ username, password: new_password });
  assert.equal(again.user.username, username);
});

test("a forgotten password is replaced by a mailed link, and the session ends", async () => {
  const { username, tab } = await loggedIn();
  const { message } = await tab.password.forgot({ email: `${username}@example.com` });
  assert.match(message, /on its way/);
  const token = await mailed(username, "reset");
  const weak = await failure(tab.password.reset({ token, password: "password1" }));
  assert(isLatchkeyError(weak, "reset_password"));
  assert.equal(weak.errors.password?.[0].code, "too_weak");
  await tab.password.reset({ token, password: "seven-Boats-under-9-moons" });
  assert.equal(tab.session.status, "out");
  const used = await failure(tab.password.reset({ token, password: "seven-Boats-under-9-moons" }));
  assert(isLatchkeyError(used, "reset_password"));
  assert.equal(used.code, "token_invalid_or_expired");
});

test("an address is verified by a mailed link, and the session shows it", async () => {
  const tab = new Browser().tab();
  const username = `vera-${process.pid}`;
  await tab.register({ username, email: `${username}@example.com`, password: PASSWORD });
  await tab.login({ username, password: PASSWORD });
  assert.equal(tab.session.user?.email_verified, false);
  await tab.email.verify({ token: await mailed(username, "verify") });
  assert.equal(tab.session.user?.email_verified, true);
});

test("events come a page at a time, the export has all, the account is deleted", async () => {
  const { username, tab } = await loggedIn();
  const { events, next_cursor } = await tab.events();
  assert.equal(events[0]?.kind, "logged_in");
  assert.equal(next_cursor, null);
  const wrong = await failure(tab.events({ cursor: "nonsense" }));
  assert(isLatchkeyError(wrong, "list_events"));
  assert.equal(wrong.errors.cursor?.[0].code, "invalid");
  assert.equal((await tab.export()).user.username, username);
  const slip = await failure(tab.deleteAccount({ username: "somebody-else" }));
  assert(isLatchkeyError(slip, "delete_account"));
  assert.equal(slip.errors.username?.[0].code, "mismatch");
  await tab.deleteAccount({ username });
  assert.equal(tab.session.status, "out");
  assert.equal(await tab.me(), null);
});

test("the server says what it offers", async () => {
  assert.equal((await new Browser().tab().config()).registration, "open");
  const { tab } = await loggedIn();
  assert.equal((await tab.loginMethods()).password, true);
});

test("an administrator finds, invites, changes and deletes users", async () => {
  const { username, tab } = await loggedIn("admin");
  const other = await somebody();
  const found = await tab.admin.users.find({ q: other, state: undefined as never, limit: 5 });
  assert.deepEqual(found.users.map((user) => user.username), [other]);
  const id = found.users[0]?.id ?? "";
  assert.deepEqual((await tab.admin.users.setRoles(id, { roles: ["editor:media"] })).roles, ["editor:media"]);
  await tab.admin.users.disable(id);
  assert.notEqual((await tab.admin.users.get(id)).disabled_at, null);
  await tab.admin.users.enable(id);
  assert.equal((await tab.admin.users.get(id)).disabled_at ?? null, null);
  assert.deepEqual(await tab.admin.users.sessions(id), []);
  assert.deepEqual(await tab.admin.users.endSessions(id), { revoked: 0 });
  assert.match((await tab.admin.users.resetPassword(id)).message, /./);
  const invited = await tab.admin.users.invite({ username: `i-${other}`, email: `i-${other}@example.com` });
  assert.equal(invited.password, false);
  await tab.admin.users.delete(invited.id, { username: invited.username });
  const kinds = (await tab.admin.events({ user: id })).events.map((event) => event.kind);
  assert(kinds.includes("disabled"));
  assert((await tab.admin.roles()).some(({ role }) => role === "editor:media"));
  await somebody("admin");
  const own = await failure(tab.admin.users.disable((await tab.admin.users.find({ q: username })).users[0]?.id ?? ""));
  assert(isLatchkeyError(own, "disable_user"));
  assert.equal(own.code, "own_account");
});

test("an aborted call throws the signal's reason", async () => {
  const { tab } = await loggedIn();
  const reason = new Error("changed my mind");
  assert.equal(await failure(tab.sessions.list({ signal: AbortSignal.abort(reason) })), reason);
  assert.equal(await failure(tab.me({ signal: AbortSignal.abort(reason) })), reason);
  assert.equal(tab.session.status, "in");
});

test("no answer is fetch's own TypeError", async () => {
  const error = await failure(createClient({ baseUrl: "http://127.0.0.1:9" }).config());
  assert(error instanceof TypeError);
  // Nor is half an answer one.
  const broken = new ReadableStream({ start: (stream) => stream.error(new TypeError("terminated")) });
  const half = await failure(createClient({ fetch: async () => new Response(broken) }).config());
  assert(half instanceof TypeError);
});

test("an answer of something else is unexpected_answer", async () => {
  const answers: [string, ResponseInit][] = [
    ["<h1>Bad gateway</h1>", { status: 502, headers: { "Content-Type": "text/html", "Retry-After": "7" } }],
    ['{"code":"rate_limited"}', { status: 429, headers: { "Content-Type": "application/json", "Retry-After": "7" } }],
    ["<title>My app</title>", { status: 200, headers: { "Content-Type": "text/html", "Retry-After": "7" } }],
  ];
  for (const [body, init] of answers) {
    const error = await failure(createClient({ fetch: async () => new Response(body, init) }).config());
    assert(isLatchkeyError(error, "get_config"));
    assert.deepEqual([error.code, error.status, error.retryAfter], ["unexpected_answer", init.status, 7]);
  }
});

test("a base URL may end with a slash", async () => {
  assert.equal((await new Browser().tab({ baseUrl: `${url}/` }).config()).registration, "open");
});

/** The token of the newest link of a kind that was mailed to somebody. */
async function mailed(username: string, page: string): Promise<string> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const mailbox = await (await fetch(`${url}/dev/mailbox`)).text();
    const mail = mailbox.split("<article").find((mail) => mail.includes(`${username}@example.com`) && mail.includes(`/${page}#token=`));
    const token = mail && /#token=([0-9a-f]+)/.exec(mail)?.[1];
    if (token) return token;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`no mail: ${await operator("mail", "list")}`);
}
