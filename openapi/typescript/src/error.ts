// The one error that the client throws when something has answered.
import type { CodeOf, FieldErrors, Operation, Schemas } from "./types.js";

type Problem = Partial<Omit<Schemas["GeneralProblem"], "code"> & { code: string; errors: object }>;
type Members = Pick<Problem, "login_url" | "max_age" | "needs" | "methods" | "expires_at" | "tries_left">;

/** What some problems add. */
export interface LatchkeyError<O extends Operation = Operation> extends Members {}
/** A refusal. If nothing answered, `fetch` throws its `TypeError`; an aborted call throws the signal's reason. */
export class LatchkeyError<O extends Operation = Operation> extends Error {
  override readonly name = "LatchkeyError";
  /** `unexpected_answer` is not the server's: a proxy, or something else, has answered. */
  readonly code: CodeOf<O> | "unexpected_answer";
  readonly status: number;
  /** What is wrong with each field. Empty unless `code` is `validation_failed`. */
  readonly errors: FieldErrors<O>;
  /** How many seconds to wait before another try. */
  readonly retryAfter: number | undefined;
  /** Finds the request in the server's log. */
  readonly requestId: string | undefined;

  constructor(readonly operation: O, answer: Response, json: unknown) {
    const isProblem = answer.headers.get("Content-Type")?.startsWith("application/problem+json");
    const problem = ((isProblem && json) || {}) as Problem;
    super(problem.detail ?? `Something other than Latchkey answered, with status ${answer.status}.`);
    this.code = (problem.code ?? "unexpected_answer") as CodeOf<O> | "unexpected_answer";
    this.status = answer.status;
    this.errors = problem.errors ?? {};
    this.retryAfter = Number(answer.headers.get("Retry-After")) || undefined;
    this.requestId = answer.headers.get("X-Request-Id") ?? undefined;
    const { login_url, max_age, needs, methods, expires_at, tries_left } = problem;
    Object.assign(this, { login_url, max_age, needs, methods, expires_at, tries_left });
  }
}

/** Whether this is a refusal: of one of these operations, if any are named. */
export function isLatchkeyError<O extends Operation = Operation>(e: unknown, ...of: O[]): e is LatchkeyError<O> {
  return e instanceof LatchkeyError && (of.length === 0 || of.includes(e.operation as O));
}
