// The login of this browser that waits for a second factor.
import type { LatchkeyError } from "./error.js";
import type { Schemas } from "./types.js";
import { Watched } from "./watched.js";

/** How many tries are left is unknown before the first wrong code. */
export type Step = Omit<Schemas["LoginStep"], "tries_left"> & { tries_left?: number };

export class StepStore extends Watched<Step | null> {
  constructor(readonly ask: () => Promise<unknown>) {
    super(null);
  }

  /** The page may have been loaded again, or another tab has gone on. If nothing answers, the next login will say so. */
  protected override begin(): void {
    this.ask().catch(() => {});
  }

  /** What a failed way in says about the step. */
  heed({ code, methods, expires_at, tries_left }: LatchkeyError): void {
    const isNew = code === "second_factor_required" && methods && expires_at;
    if (isNew) this.set({ kind: "second_factor", methods, expires_at });
    else if (code === "step_expired" || tries_left === 0) this.set(null);
    else if (this.state && tries_left !== undefined) this.set({ ...this.state, tries_left });
  }
}
