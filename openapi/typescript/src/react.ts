// Who is logged in, which login waits for a second factor, and passkeys in the autofill, for React.
import { useEffect, useRef, useSyncExternalStore } from "react";
import type { Client } from "./client.js";
import { offer, type Offer } from "./offer.js";
import { LOADING, type SessionState } from "./session.js";
import type { Step } from "./step.js";

/** Renders again at every login and logout, in any tab. On the server, and while hydrating, it is `loading`. */
export function useSession(client: Client): SessionState {
  return useSyncExternalStore(
    client.onSession,
    () => client.session,
    () => LOADING,
  );
}

/** The login that waits for a second factor, also after the page was loaded again. On the server it is `null`. */
export function useLoginStep(client: Client): Step | null {
  return useSyncExternalStore(
    client.onStep,
    () => client.step,
    () => null,
  );
}

/** Offers passkeys in the autofill of a form for as long as its component is there. */
export function usePasskeyAutofill(client: Client, wish: Offer): void {
  // What is rendered later counts, and no new offer is made for it.
  const latest = useRef({ ...wish });
  useEffect(() => void Object.assign(latest.current, wish));
  useEffect(() => offer(client, latest.current), [client]);
}
