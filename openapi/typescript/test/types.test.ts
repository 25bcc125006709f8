// What must compile, and what must not. tsc is the test.
import {
  createClient, isLatchkeyError,
  type Client, type Code, type CodeOf, type FieldErrors, type LatchkeyError, type Me, type Method, type SessionState,
} from "latchkey-client";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const sure = <_ extends true>() => {};
type Result<F extends (...args: never[]) => Promise<unknown>> = Awaited<ReturnType<F>>;

sure<Same<keyof FieldErrors<"register">, "username" | "email" | "password" | "password2" | "locale">>();
sure<Same<keyof FieldErrors<"find_users">, "q" | "role" | "state" | "cursor" | "limit">>();
sure<Same<keyof FieldErrors<"delete_account">, "username">>();
sure<Same<keyof FieldErrors<"list_sessions">, never>>();
// An operation's codes are its own.
sure<"registration_closed" extends CodeOf<"register"> ? true : false>();
sure<"invalid_credentials" extends CodeOf<"register"> ? false : true>();
sure<"invalid_credentials" extends CodeOf<"login"> ? true : false>();
// What a page must be able to go on from.
sure<"second_factor_required" extends CodeOf<"login"> ? true : false>();
sure<"second_factor_required" extends CodeOf<"reauthenticate"> ? true : false>();
sure<"second_factor_required" extends CodeOf<"second_factor"> ? false : true>();
sure<"invalid_code" extends CodeOf<"second_factor"> ? true : false>();
sure<"unknown_passkey" extends CodeOf<"log_in_with_passkey"> ? true : false>();
sure<Same<LatchkeyError["methods"], Method[] | undefined>>();
sure<Same<LatchkeyError["code"], Code | "unexpected_answer">>();
sure<Same<Result<Client["me"]>, Me | null>>();
sure<Same<Result<Client["logout"]>, void>>();
sure<Same<Result<Client["password"]["change"]>, { revoked: number }>>();
sure<Same<SessionState["status"], "loading" | "in" | "out" | "failed">>();

export function compiles(client: Client, error: unknown) {
  if (isLatchkeyError(error, "register")) {
    const message: string | undefined = error.errors.username?.[0].message;
    const taken: boolean = error.errors.email?.some(({ code }) => code === "taken") ?? false;
    // @ts-expect-error: registering knows no such field
    error.errors.current_password;
    // @ts-expect-error: there is no such code
    if (error.code === "wrong_password") return undefined;
    return { message, taken };
  }
  if (isLatchkeyError(error, "login", "change_password")) {
    return [error.errors.username, error.errors.new_password];
  }
  if (isLatchkeyError(error)) return [error.retryAfter satisfies number | undefined, error.needs];
  // @ts-expect-error: there is no such operation
  isLatchkeyError(error, "sign_in");
  if (client.session.status === "in") return client.session.user.session.expires_at;

  void client.login({ username: "susan", password: "…", remember_me: true }, { signal: AbortSignal.timeout(1000) });
  // @ts-expect-error: the password is missing
  void client.login({ username: "susan" });
  // @ts-expect-error: names are as on the wire
  void client.login({ username: "susan", password: "…", rememberMe: true });
  void client.login.secondFactor({ recovery_code: "…", trust_device: true });
  void client.passkeys.prompt("second_factor").then((credential) => client.login.secondFactor({ credential }));
  void client.passkeys.prompt("reauthenticate").then((credential) => client.reauthenticate({ credential }));
  void client.passkeys.signIn({ next: "/", remember_me: true }, { signal: AbortSignal.timeout(1000) });
  // @ts-expect-error: a login has a function of its own
  void client.passkeys.prompt("login");
  void client.passkeys.register();
  void client.totp.remove();
  void client.totp.remove({ end_other_sessions: false });
  // @ts-expect-error: the code is missing
  void client.totp.confirm({});
  if (client.step) return [client.step.methods satisfies Method[], client.step.tries_left satisfies number | undefined];
  void client.admin.users.find({ state: "disabled", limit: 10 });
  // @ts-expect-error: an id comes first
  void client.admin.users.setRoles({ roles: [] });
  void createClient();
  return undefined;
}
