// Who is logged in, as all tabs know it.
import type { Me } from "./types.js";
import { Watched } from "./watched.js";

/** `failed`: it could not be found out yet. The next `me` that gets an answer mends it. */
export type SessionState =
  | { readonly status: "loading" | "out"; readonly user: null }
  | { readonly status: "in"; readonly user: Me }
  | { readonly status: "failed"; readonly user: null; readonly error: unknown };
export type Listener = (session: SessionState) => void;

export const LOADING: SessionState = { status: "loading", user: null };

/** Without the session's times, which move with each use. */
const lasting = ({ status, user: u }: SessionState) => JSON.stringify([status, u && { ...u, session: u.session.id }]);

export class SessionStore extends Watched<SessionState> {
  /** Grows whenever the answers to older questions become out of date. */
  epoch = 0;
  #channel: BroadcastChannel | undefined;
  #check: Promise<boolean> | undefined;

  constructor(readonly name: string, readonly ask: () => Promise<Me | null>) {
    super(LOADING);
  }

  protected override begin(): void {
    this.#channel = this.#open(() => void this.checkAnew(false));
    void this.check();
  }

  protected override end(): void {
    this.#channel = void this.#channel?.close();
  }

  /** Takes over what the server has said. The other tabs hear that something has changed, and ask for themselves. */
  learn(user: Me | null, tell = this.state.status === "in" || this.state.status === "out"): void {
    this.#forget();
    const before = this.state;
    const next: SessionState = user ? { status: "in", user } : { status: "out", user: null };
    if (JSON.stringify(next) !== JSON.stringify(before)) this.set(next);
    if (!tell || lasting(next) === lasting(before)) return;
    const channel = this.#channel ?? this.#open(null);
    channel?.postMessage("changed");
    if (channel !== this.#channel) channel?.close();
  }

  /** Asks who is logged in, once for all who want to know at the same time. True if somebody is. */
  check(tell?: boolean): Promise<boolean> {
    const asked = this.epoch;
    const learn = (user: Me | null) => (asked === this.epoch ? this.learn(user, tell) : undefined);
    const fail = (error: unknown) => {
      if (asked === this.epoch) this.#check = undefined;
      if (this.state === LOADING) this.set({ status: "failed", user: null, error });
    };
    return (this.#check ??= this.ask().then(learn, fail).then(() => this.state.status === "in"));
  }

  /** Does not share a question that was asked before. */
  checkAnew(tell?: boolean): Promise<boolean> {
    this.#forget();
    return this.check(tell);
  }

  #forget(): void {
    this.epoch += 1;
    this.#check = undefined;
  }

  #open(onmessage: (() => void) | null): BroadcastChannel | undefined {
    if (typeof BroadcastChannel === "undefined") return undefined;
    const channel = Object.assign(new BroadcastChannel(this.name), { onmessage });
    // Else Node would wait for messages for ever.
    (channel as { unref?: () => void }).unref?.();
    return channel;
  }
}
