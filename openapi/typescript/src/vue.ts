// Who is logged in, which login waits for a second factor, and passkeys in the autofill, for Vue.
import { getCurrentInstance, onMounted, onScopeDispose, shallowRef, type ShallowRef } from "vue";
import type { Client } from "./client.js";
import { offer, type Offer } from "./offer.js";
import type { SessionState } from "./session.js";
import type { Step } from "./step.js";

/** Changes at every login and logout, in any tab, until its component or scope ends. On the server it is `loading`. */
export function useSession(client: Client): Readonly<ShallowRef<SessionState>> {
  return follow(client.session, client.onSession);
}

/** The login that waits for a second factor, also after the page was loaded again. On the server it is `null`. */
export function useLoginStep(client: Client): Readonly<ShallowRef<Step | null>> {
  return follow(client.step, client.onStep);
}

/** Offers passkeys in the autofill of a form for as long as its component or scope is there. */
export function usePasskeyAutofill(client: Client, wish: Offer): void {
  whileMounted(() => offer(client, wish));
}

function follow<T>(first: T, subscribe: (listener: (value: T) => void) => () => void): Readonly<ShallowRef<T>> {
  const followed = shallowRef(first);
  whileMounted(() => subscribe((value) => void (followed.value = value)));
  return followed;
}

function whileMounted(begin: () => () => void): void {
  let stop = () => {};
  const start = () => void (stop = begin());
  // A component does not mount on the server.
  if (getCurrentInstance()) onMounted(start);
  else start();
  onScopeDispose(() => stop());
}
