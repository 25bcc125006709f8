// The client against the OpenAPI document: every operation, at its place.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { createClient, isLatchkeyError } from "latchkey-client";

/** What no page calls. */
const UNCALLED = {
  errors: "for developers, who read it",
  live: "for a balancer",
  ready: "for a balancer",
  openapi_document: "for generators of clients",
  verify: "for a proxy",
  oidc_callback: "a provider sends the browser there",
};

interface Document {
  paths: Record<string, Record<string, { operationId: string }>>;
}

test("every operation that a page uses can be called, and goes where the document says", async () => {
  const document = JSON.parse(readFileSync("../openapi.json", "utf8")) as Document;
  const expected = Object.entries(document.paths)
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { operationId }]) => [operationId, `${method.toUpperCase()} ${path}`]),
    )
    .filter(([id = ""]) => !(id in UNCALLED))
    .map((operation) => operation.join(": ").replace(/\{\w+\}/, "{id}"));

  // Ceremonies ask for options, then for a passkey, and then send it.
  const credentials = { create: async () => ({ toJSON: () => ({}) }), get: async () => ({ toJSON: () => ({}) }) };
  const others = { isConditionalMediationAvailable: async () => true };
  for (const [name, value] of Object.entries({ navigator: { credentials }, PublicKeyCredential: others })) {
    Object.defineProperty(globalThis, name, { value });
  }
  const options = { options: { challenge: "AAAA", user: { id: "AAAA" } }, expires_at: "2030-01-01T00:00:00Z" };
  let answersOptions = false;
  let request = "";
  const client = createClient({
    fetch: async (url, init) => {
      request = `${init.method} ${url.replace("an-id", "{id}").replace(/\?.*/, "")}`;
      if (answersOptions && url.endsWith("/options")) return new Response(JSON.stringify(options));
      return new Response("", { status: 500 });
    },
  });
  const found = new Set<string>();
  async function visit(node: object) {
    for (const value of Object.values(node)) {
      // A function may have others: `login.step`.
      if (value !== null) await visit(value);
      if (typeof value !== "function" || value === client.onSession || value === client.onStep) continue;
      const outcome: unknown = await value("an-id", {}).catch((error: unknown) => error);
      // All others have failed at their first request.
      if (value === client.passkeys.prompt && answersOptions) continue;
      assert(isLatchkeyError(outcome));
      found.add(`${outcome.operation}: ${request}`);
    }
  }
  const { session: _, step: __, ...operations } = client;
  await visit(operations);
  answersOptions = true;
  await visit(client.passkeys);
  assert.deepEqual([...found].sort(), expected.sort());
});
