// Passkeys: each ceremony, from the question to the server's answer.
import type { CallOptions } from "./client.js";
import { isLatchkeyError } from "./error.js";
import type { Answer, Body, Me, Operation } from "./types.js";
import { create, get, getInAutofill, tell, whileNothingIsOffered, type Credential } from "./webauthn.js";

type Input = { id?: string; body?: object };
type Call = <O extends Operation>(of: O, route: string, input: Input, options?: CallOptions) => Promise<Answer<O>>;
type Login = Body<"log_in_with_passkey">;
type Enter = (of: "log_in_with_passkey", route: string, body: Login, options?: CallOptions) => Promise<Answer<"login">>;

export type LoginWish = Omit<Login, "credential">;
/** `onError` is told of a passkey that was refused, and others are offered. Without it, the refusal is thrown. */
export type AutofillWish = LoginWish & { onError?: (error: unknown) => void };

export function createPasskeys(call: Call, enter: Enter, user: () => Me | null) {
  const supported = typeof PublicKeyCredential !== "undefined";
  const registration = "POST /api/passkeys/registration/";
  const authentication = "POST /api/passkeys/authentication/";
  const ask = (purpose: "login" | "second_factor" | "reauthenticate", options: CallOptions) =>
    call("passkey_options", `${authentication}options`, { body: { for: purpose } }, options);

  async function list(options?: CallOptions) {
    const answer = await call("list_passkeys", "GET /api/passkeys", {}, options);
    const [them, name] = [{ rpId: answer.rp_id, userId: answer.user_handle }, user()?.username];
    const allAcceptedCredentialIds = answer.passkeys.map((passkey) => passkey.credential_id);
    if (supported) void tell("signalAllAcceptedCredentials", { ...them, allAcceptedCredentialIds });
    if (supported && name) void tell("signalCurrentUserDetails", { ...them, name, displayName: name });
    return answer;
  }

  function changed<T>(answer: T): T {
    // Asked for only where the browser listens.
    if (supported && "signalAllAcceptedCredentials" in PublicKeyCredential) list().catch(() => {});
    return answer;
  }

  async function finish(asked: object, credential: Credential, wish: LoginWish, options: CallOptions) {
    const body = { credential, remember_me: wish.remember_me ?? null, next: wish.next ?? null };
    return enter("log_in_with_passkey", `${authentication}verify`, body, options).catch((error: unknown) => {
      const unknown = { rpId: (asked as PublicKeyCredentialRequestOptionsJSON).rpId, credentialId: credential["id"] };
      if (isLatchkeyError(error) && error.code === "unknown_passkey") void tell("signalUnknownCredential", unknown);
      throw error;
    });
  }

  return {
    /** Whether this browser knows passkeys. Whether the server does is in `config`. */
    supported,
    /** All of one's own. The browser hears of it, and no longer offers those that were removed elsewhere. */
    list,
    /** Makes a passkey on a device that the user chooses. */
    register: (body: Omit<Body<"register_passkey">, "credential"> = {}, options: CallOptions = {}) =>
      whileNothingIsOffered(async () => {
        const asked = await call("passkey_registration_options", `${registration}options`, {}, options);
        const credential = await create(asked.options, options);
        const made = { body: { ...body, credential } };
        return changed(await call("register_passkey", `${registration}verify`, made, options));
      }),
    remove: async (id: string, body?: Body<"remove_passkey">, options?: CallOptions) =>
      changed(await call("remove_passkey", "DELETE /api/passkeys/{id}", body ? { id, body } : { id }, options)),
    /** Asks for one of the user's own, and gives what `login.secondFactor` and `reauthenticate` take. */
    prompt: (purpose: "second_factor" | "reauthenticate", options: CallOptions = {}) =>
      whileNothingIsOffered(async () => get((await ask(purpose, options)).options, options)),
    /** Logs in with a passkey that the user chooses, without a name. */
    signIn: (wish: LoginWish = {}, options: CallOptions = {}) =>
      whileNothingIsOffered(async () => {
        const asked = await ask("login", options);
        return finish(asked.options, await get(asked.options, options), wish, options);
      }),
    /**
     * Offers passkeys in a form's autofill until somebody is logged in, or the browser or the server refuses to. `null`
     * if somebody logged in without one.
     */
    async autofill(wish: AutofillWish = {}, options: CallOptions = {}) {
      if (!supported || !(await PublicKeyCredential.isConditionalMediationAvailable?.())) return null;
      do {
        const chosen = await getInAutofill(() => ask("login", options), options.signal);
        if (!chosen) continue;
        try {
          return await finish(chosen.options, chosen.credential, wish, options);
        } catch (error) {
          if (!wish.onError) throw error;
          wish.onError(error);
        }
      } while (!user());
      return null;
    },
  };
}
