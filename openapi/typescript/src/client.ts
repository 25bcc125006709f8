// The client: one function for each operation, and what all of them do.
import { isLatchkeyError, LatchkeyError } from "./error.js";
import { createPasskeys } from "./passkeys.js";
import { SessionStore, type Listener } from "./session.js";
import { StepStore, type Step } from "./step.js";
import type { Answer, Body, Me, Method, Operation, Query } from "./types.js";

export interface ClientOptions {
  /** Where Latchkey is, if not at the page's own origin. */
  baseUrl?: string;
  fetch?: (url: string, init: RequestInit) => Promise<Response>;
  /** Asks the user for what would do, and calls `reauthenticate`. After `true`, the refused call is made again. */
  onReauthenticate?: (methods: readonly Method[]) => Promise<boolean>;
}
export type CallOptions = { signal?: AbortSignal };
type Entrance = "login" | "second_factor" | "log_in_with_passkey";
type Input = { id?: string; query?: object; body?: object };

/** After these, this browser's session may look different, or be gone. */
const UNSETTLING = ["reauthenticate", "revoke_session", "reset_password", "verify_email", "confirm_email", "not_me"]
  .concat("confirm_totp", "remove_totp", "turn_on", "turn_off");

export function createClient({ baseUrl = "", fetch, onReauthenticate }: ClientOptions = {}) {
  const base = baseUrl.replace(/\/$/, "");
  const store = new SessionStore(`latchkey ${base}`, () => ask({}));
  const steps = new StepStore(() => step({}));
  let asking: Promise<boolean> | undefined;

  async function send<O extends Operation>(operation: O, route: string, input: Input, { signal }: CallOptions) {
    const [method = "", path = ""] = route.split(" ");
    const { id = "", query = {}, body } = input;
    const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value != null)).toString();
    const url = base + path.replace(/\{\w+\}/, encodeURIComponent(id)) + (search && `?${search}`);
    const init: RequestInit = { method, credentials: "include", signal: signal ?? null };
    if (body) Object.assign(init, { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    const answer = await (fetch ?? globalThis.fetch)(url, init);
    const json = await answer.json().catch((e) => (e instanceof SyntaxError ? undefined : Promise.reject(e)));
    if (answer.status === 204 || (answer.ok && json)) return json as Answer<O>;
    throw new LatchkeyError(operation, answer, json);
  }

  const ask = (options: CallOptions): Promise<Me | null> =>
    send("me", "GET /api/me", {}, options).catch((error: unknown) => {
      if (isLatchkeyError(error) && error.code === "not_authenticated") return null;
      throw error;
    });

  async function me(options: CallOptions = {}): Promise<Me | null> {
    const asked = store.epoch;
    const user = await ask(options);
    if (asked !== store.epoch) return user;
    // Inside a session, a 401 may be of a cookie that was replaced while the request was on its way.
    if (!user && store.state.status === "in") return (await store.check()) ? store.state.user : null;
    store.learn(user);
    return user;
  }

  /** Whether a call that failed may succeed if it is made again. */
  async function mended(error: unknown): Promise<boolean> {
    if (!isLatchkeyError(error)) return false;
    if (error.code === "not_authenticated" && store.state.status === "in") return store.check();
    if (error.code === "already_authenticated" && store.state.status !== "in") await store.check();
    if (error.code !== "reauthentication_required" || !onReauthenticate) return false;
    return (asking ??= onReauthenticate(error.methods ?? []).finally(() => (asking = undefined)));
  }

  async function call<O extends Operation>(operation: O, route: string, input: Input, options: CallOptions = {}) {
    const attempt = () => send(operation, route, input, options);
    const answer = await attempt().catch(async (e) => ((await mended(e)) ? attempt() : Promise.reject(e)));
    if (operation === "logout" || operation === "delete_account") store.learn(null, true);
    if (UNSETTLING.includes(operation) && store.state.status === "in") await store.checkAnew();
    return answer;
  }

  /** A way in: to a session, or to a step before it. */
  async function enter(of: Entrance, route: string, body: Body<Entrance>, options?: CallOptions) {
    const answer = await goOn(call<Entrance>(of, route, { body }, options));
    store.learn({ ...answer.user, session: answer.session }, true);
    return answer;
  }

  /** What comes after a step, or says how the step goes on. */
  async function goOn<T>(answer: Promise<T>): Promise<T> {
    const done = await answer.catch((error: unknown) => {
      if (isLatchkeyError(error)) steps.heed(error);
      throw error;
    });
    steps.set(null);
    return done;
  }

  async function step(options?: CallOptions): Promise<Step | null> {
    const before = steps.state;
    const answer = await call("login_step", "GET /api/login/step", {}, options).catch((error: unknown) => {
      if (isLatchkeyError(error) && error.code === "step_expired") return null;
      throw error;
    });
    // A login may have begun or ended while the question was on its way.
    const isNew = answer?.kind === "choose_username";
    if (steps.state === before) steps.set(isNew ? null : answer);
    return isNew ? answer : steps.state;
  }

  const login = (body: Body<"login">, options?: CallOptions) => enter("login", "POST /api/login", body, options);
  /** The login of this browser that waits for a second factor or a username, or `null`. */
  login.step = step;
  login.secondFactor = (body: Body<"second_factor">, options?: CallOptions) =>
    enter("second_factor", "POST /api/login/second-factor", body, options);
  /** For somebody whom a provider knows, and nobody here. Logs in, unless they must confirm an address: see `message`. */
  login.chooseUsername = async (body: Body<"choose_username">, options?: CallOptions) => {
    const answer = await goOn(call("choose_username", "POST /api/login/choose-username", { body }, options));
    if ("session" in answer) store.learn({ ...answer.user, session: answer.session }, true);
    return answer;
  };
  login.cancel = async (options?: CallOptions) =>
    call("cancel_login", "DELETE /api/login/step", {}, options).then(() => steps.set(null));

  const plain = <O extends Operation>(of: O, route: string) => (options?: CallOptions) => call(of, route, {}, options);
  const withBody = <O extends Operation>(operation: O, route: string) =>
    (body: Body<O>, options?: CallOptions) => call(operation, route, { body }, options);
  const withOptionalBody = <O extends Operation>(operation: O, route: string) =>
    (body?: Body<O>, options?: CallOptions) => call(operation, route, body ? { body } : {}, options);
  const withQuery = <O extends Operation>(operation: O, route: string) =>
    (query?: Query<O>, options?: CallOptions) => call(operation, route, query ? { query } : {}, options);
  const withId = <O extends Operation>(operation: O, route: string) =>
    (id: string, options?: CallOptions) => call(operation, route, { id }, options);
  const withIdAndBody = <O extends Operation>(operation: O, route: string) =>
    (id: string, body: Body<O>, options?: CallOptions) => call(operation, route, { id, body }, options);

  return {
    /** Who is logged in, as far as this client knows. */
    get session() { return store.state; },
    /** Tells the listener who is logged in: now, and at every change in any tab. Returns how to stop that. */
    onSession: (listener: Listener) => store.subscribe(listener),
    /** The logged-in user, or `null`. */
    me,
    /** The login that waits for a second factor, as far as this client knows. */
    get step() { return steps.state; },
    /** Tells the listener which login waits: now, and at every change. Returns how to stop that. */
    onStep: (listener: (step: Step | null) => void) => steps.subscribe(listener),
    /** If a second factor is needed, this fails with `second_factor_required`, and `login.secondFactor` goes on. */
    login,
    register: withBody("register", "POST /api/register"),
    logout: plain("logout", "POST /api/logout"),
    deleteAccount: withBody("delete_account", "DELETE /api/me"),
    events: withQuery("list_events", "GET /api/me/events"),
    export: plain("export_data", "GET /api/me/export"),
    config: plain("get_config", "GET /api/config"),
    loginMethods: plain("login_methods", "GET /api/login-methods"),
    reauthenticate: withBody("reauthenticate", "POST /api/reauthenticate"),
    totp: {
      offer: plain("offer_totp", "POST /api/totp"),
      confirm: withBody("confirm_totp", "POST /api/totp/confirm"),
      remove: withOptionalBody("remove_totp", "DELETE /api/totp"),
    },
    secondFactor: {
      turnOn: withOptionalBody("turn_on", "POST /api/second-factor"),
      turnOff: withOptionalBody("turn_off", "DELETE /api/second-factor"),
    },
    passkeys: {
      ...createPasskeys(call, enter, () => store.state.user),
      rename: withIdAndBody("rename_passkey", "PATCH /api/passkeys/{id}"),
    },
    /** `start("google", { intent: "login" })` says where to send the browser: `location.assign(authorization_url)`. */
    providers: { start: withIdAndBody("start_oidc", "POST /api/oidc/{provider}/start") },
    identities: {
      list: plain("list_identities", "GET /api/identities"),
      remove: withId("remove_identity", "DELETE /api/identities/{id}"),
    },
    recoveryCodes: { renew: plain("renew_recovery_codes", "POST /api/recovery-codes") },
    trustedDevices: {
      list: plain("list_trusted_devices", "GET /api/trusted-devices"),
      forget: withId("forget_trusted_device", "DELETE /api/trusted-devices/{id}"),
      forgetAll: plain("forget_trusted_devices", "DELETE /api/trusted-devices"),
    },
    sessions: {
      list: plain("list_sessions", "GET /api/sessions"),
      revoke: withId("revoke_session", "DELETE /api/sessions/{id}"),
      revokeOthers: plain("revoke_other_sessions", "DELETE /api/sessions"),
    },
    password: {
      change: withBody("change_password", "POST /api/password/change"),
      forgot: withBody("forgot_password", "POST /api/password/forgot"),
      reset: withBody("reset_password", "POST /api/password/reset"),
    },
    email: {
      verify: withBody("verify_email", "POST /api/email/verify"),
      resend: withBody("resend_verification", "POST /api/email/verify/resend"),
      change: withBody("change_email", "POST /api/email/change"),
      confirm: withBody("confirm_email", "POST /api/email/change/confirm"),
    },
    account: { notMe: withBody("not_me", "POST /api/account/not-me") },
    admin: {
      users: {
        find: withQuery("find_users", "GET /api/admin/users"),
        invite: withBody("invite_user", "POST /api/admin/users"),
        get: withId("show_user", "GET /api/admin/users/{id}"),
        delete: withIdAndBody("delete_user", "DELETE /api/admin/users/{id}"),
        setRoles: withIdAndBody("set_roles", "PUT /api/admin/users/{id}/roles"),
        disable: withId("disable_user", "POST /api/admin/users/{id}/disable"),
        enable: withId("enable_user", "POST /api/admin/users/{id}/enable"),
        resetPassword: withId("reset_password_of_user", "POST /api/admin/users/{id}/password-reset"),
        resetSecondFactor: withId("reset_second_factor_of_user", "DELETE /api/admin/users/{id}/second-factor"),
        sessions: withId("list_sessions_of_user", "GET /api/admin/users/{id}/sessions"),
        endSessions: withId("end_sessions_of_user", "DELETE /api/admin/users/{id}/sessions"),
      },
      roles: plain("list_roles", "GET /api/admin/roles"),
      events: withQuery("list_all_events", "GET /api/admin/events"),
    },
  };
}

export type Client = ReturnType<typeof createClient>;
