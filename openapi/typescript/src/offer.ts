// Passkeys in the autofill, as hooks use it.
import type { Client } from "./client.js";
import type { LoginWish } from "./passkeys.js";
import type { Answer } from "./types.js";

export type Offer = LoginWish & { onLogin: (answer: Answer<"login">) => void; onError: (error: unknown) => void };

/** Returns how to stop it. */
export function offer(client: Client, wish: Offer): () => void {
  const stop = new AbortController();
  client.passkeys.autofill(wish, stop).then(
    (answer) => answer && wish.onLogin(answer),
    (error: unknown) => stop.signal.aborted || wish.onError(error),
  );
  return () => stop.abort();
}
