// A browser's part: a jar of cookies. And people, made as an operator makes them.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { createClient, type ClientOptions } from "latchkey-client";

export const url = process.env["LATCHKEY_URL"] ?? "";
export const PASSWORD = "green-Lamp-42-river";

const counter = () => Math.floor(Math.random() * 250) + 1;

/** Tabs of one browser share its cookies, and it has an address of its own. */
export class Browser {
  readonly cookies = new Map<string, string>();
  /** What has been answered. */
  readonly requests: string[] = [];
  /** Answers in place of the server, where it answers at all. */
  answers: (url: string) => Response | undefined = () => undefined;
  readonly #address = `10.${counter()}.${counter()}.${counter()}`;

  /** Node's `fetch` keeps no cookies. */
  readonly fetch = async (url: string, init: RequestInit): Promise<Response> => {
    const headers = new Headers(init.headers);
    headers.set("X-Forwarded-For", this.#address);
    // Only what asks for cookies gets them.
    if (init.credentials === "include") headers.set("Cookie", [...this.cookies].map((one) => one.join("=")).join("; "));
    const answer = this.answers(url) ?? (await fetch(url, { ...init, headers }));
    for (const cookie of answer.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      if (/max-age=0(;|$)/i.test(cookie)) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    await answer.clone().arrayBuffer();
    this.requests.push(`${init.method} ${new URL(url).pathname}`);
    return answer;
  };

  tab(options: ClientOptions = {}) {
    return createClient({ baseUrl: url, fetch: this.fetch, ...options });
  }

  asked(request: string): number {
    return this.requests.filter((one) => one === request).length;
  }
}

/** As an operator at a shell. */
export async function operator(...words: string[]): Promise<string> {
  // Not synchronous: connections that the server closes meanwhile must be seen to be closed.
  const running = promisify(execFile)(process.env["LATCHKEY_BINARY"] ?? "", words);
  running.child.stdin?.end(`${PASSWORD}\n`);
  return (await running).stdout;
}

let people = 0;
export async function somebody(...roles: string[]): Promise<string> {
  const name = `p${process.pid}-${++people}`;
  await operator("users", "add", name, `${name}@example.com`);
  for (const role of roles) await operator("users", "grant", name, role);
  return name;
}

/** A browser in which somebody is logged in, with one tab. */
export async function loggedIn(...roles: string[]) {
  const username = await somebody(...roles);
  const browser = new Browser();
  const tab = browser.tab();
  await tab.login({ username, password: PASSWORD });
  return { username, browser, tab };
}

/** Long enough for what must not happen. */
export const aMoment = () => new Promise((resolve) => setTimeout(resolve, 100));

export async function until(condition: () => boolean): Promise<void> {
  const end = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`never: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** What a call fails with. */
export async function failure(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => Promise.reject(new Error("it did not fail")),
    (error: unknown) => error,
  );
}
