export { createClient, type CallOptions, type Client, type ClientOptions } from "./client.js";
export { isLatchkeyError, LatchkeyError } from "./error.js";
export type { AutofillWish, LoginWish } from "./passkeys.js";
export type { Listener, SessionState } from "./session.js";
export type { Step } from "./step.js";
export type * from "./types.js";
export type { Credential } from "./webauthn.js";
