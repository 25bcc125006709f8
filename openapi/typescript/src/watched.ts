// A value, and those who want to know of its changes.
export class Watched<T> {
  readonly #listeners = new Set<(state: T) => void>();

  constructor(public state: T) {}

  subscribe(listener: (state: T) => void): () => void {
    // A function of its own, so that one listener may subscribe twice.
    const own = (state: T) => listener(state);
    this.#listeners.add(own);
    own(this.state);
    if (this.#listeners.size === 1) this.begin();
    return () => {
      this.#listeners.delete(own);
      if (this.#listeners.size === 0) this.end();
    };
  }

  set(state: T): void {
    if (state === this.state) return;
    this.state = state;
    this.#listeners.forEach((listener) => listener(state));
  }

  /** When the first one listens. */
  protected begin(): void {}
  /** When nobody listens any more. */
  protected end(): void {}
}
