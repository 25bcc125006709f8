// Registers, fails to log in, and logs in, with a client that hey-api has made.
import assert from "node:assert/strict";
import { login, me, register } from "./client";
import { client } from "./client/client.gen";

async function main() {
  client.setConfig({ baseUrl: process.argv[2] as `http://${string}` });
  const password = "green-Lamp-42-river";
  const form = { username: "helga", email: "helga@example.com", password };
  const registered = await register({ body: form });
  assert.equal(registered.data?.username, "helga");
  const taken = await register({ body: form });
  assert(taken.error?.code === "validation_failed");
  assert.equal(taken.error.errors["username"]?.[0]?.message, "Please use a different username.");
  const wrong = await login({ body: { username: "helga", password: "wrong" } });
  assert.equal(wrong.error?.code, "invalid_credentials");
  const answer = await login({ body: { username: "helga", password } });
  assert.equal(answer.data?.user.username, "helga");
  // Node's fetch keeps no cookies.
  const cookies = answer.response?.headers.getSetCookie().map((cookie) => cookie.split(";")[0]);
  const who = await me({ headers: { Cookie: cookies?.join("; ") } });
  assert.equal(who.data?.username, "helga");
  console.log("hey-api: logged in");
}

void main();
