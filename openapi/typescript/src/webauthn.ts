// The browser's part in passkeys: what it is asked for, and what it answers, as JSON.
import type { Schemas } from "./types.js";

type Asked = Schemas["PasskeyOptions"]["options"];
type AskedFields = PublicKeyCredentialCreationOptionsJSON & PublicKeyCredentialRequestOptionsJSON;

/** What a device says of a passkey, as JSON. */
export type Credential = Record<string, unknown>;
const BUFFERS = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"] as const;
type Response = { [name in (typeof BUFFERS)[number]]?: ArrayBuffer } & { getTransports?: () => string[] };

/** The prompts that are open. A browser has one at a time. */
const prompts = new Set<Promise<unknown>>();
/** What offers passkeys in the autofill, and gives way to a prompt. */
let offer: AbortController | undefined;

export async function whileNothingIsOffered<T>(prompt: () => Promise<T>): Promise<T> {
  offer?.abort();
  const open = prompt();
  prompts.add(open);
  return open.finally(() => prompts.delete(open));
}

export async function create(options: Asked, { signal }: { signal?: AbortSignal }): Promise<Credential> {
  const publicKey = parsed<PublicKeyCredentialCreationOptions>("parseCreationOptionsFromJSON", options);
  return written(await navigator.credentials.create({ publicKey, ...(signal && { signal }) }));
}

export async function get(options: Asked, request: CredentialRequestOptions): Promise<Credential> {
  const publicKey = parsed<PublicKeyCredentialRequestOptions>("parseRequestOptionsFromJSON", options);
  return written(await navigator.credentials.get({ ...request, publicKey }));
}

/** `null` if nothing was chosen: it gave way to a prompt, or its options grew old. */
export async function getInAutofill(ask: () => Promise<Schemas["PasskeyOptions"]>, signal?: AbortSignal) {
  signal?.throwIfAborted();
  // Which may log in, and then there is nothing to offer.
  if (prompts.size > 0) return Promise.allSettled(prompts).then(() => null);
  const own = (offer = new AbortController());
  const stop = () => own.abort();
  signal?.addEventListener("abort", stop, { signal: own.signal });
  try {
    const { options, expires_at } = await ask();
    // Browsers ignore the time-out of what they offer in the autofill. The bounds are for clocks that are wrong.
    const rest = (Date.parse(expires_at) - Date.now()) * 0.75;
    const timer = setTimeout(stop, Math.min(Math.max(rest, 60_000), 3_600_000));
    own.signal.addEventListener("abort", () => clearTimeout(timer));
    own.signal.throwIfAborted();
    return { options, credential: await get(options, { mediation: "conditional", signal: own.signal }) };
  } catch (error) {
    signal?.throwIfAborted();
    if (own.signal.aborted) return null;
    throw error;
  } finally {
    stop();
  }
}

/** Says to the keepers of passkeys what has become of them. Few browsers listen, and nothing depends on it. */
export async function tell(signal: string, facts: object): Promise<void> {
  try {
    await (PublicKeyCredential as never as Record<string, (facts: object) => unknown>)[signal]?.(facts);
  } catch {}
}

/** By the browser, or by hand where it cannot. */
function parsed<T>(parser: "parseCreationOptionsFromJSON" | "parseRequestOptionsFromJSON", options: Asked): T {
  const asked = options as object as AskedFields;
  try {
    return PublicKeyCredential[parser](asked) as T;
  } catch {
    const { challenge, user, allowCredentials, excludeCredentials } = asked;
    const list = (of: { id: string }[] = []) => of.map((one) => ({ ...one, id: bytes(one.id) }));
    const lists = { allowCredentials: list(allowCredentials), excludeCredentials: list(excludeCredentials) };
    return { ...asked, ...lists, challenge: bytes(challenge), user: user && { ...user, id: bytes(user.id) } } as T;
  }
}

/** The other way round. What password managers put here may have no `toJSON`, or one that throws. */
function written(made: globalThis.Credential | null): Credential {
  if (!made) throw new DOMException("No passkey was chosen.", "NotAllowedError");
  const credential = made as PublicKeyCredential;
  try {
    return { ...credential.toJSON() };
  } catch {
    const { id, rawId, type, authenticatorAttachment } = credential;
    const response = credential.response as object as Response;
    const texts = BUFFERS.map((name) => [name, response[name] && text(response[name])]);
    const fields = { ...Object.fromEntries(texts), transports: response.getTransports?.() };
    const clientExtensionResults = credential.getClientExtensionResults();
    return { id, rawId: text(rawId), type, authenticatorAttachment, clientExtensionResults, response: fields };
  }
}

const bytes = (base64url: string) =>
  Uint8Array.from(atob(base64url.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
const text = (buffer: ArrayBuffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
