// Users of Better Auth in PostgreSQL: node better_auth.mjs HOST DATABASE, where better-auth and pg are installed
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import pg from "pg";

const [host, database] = process.argv.slice(2);
const options = {
  database: new pg.Pool({ host, database, user: "latchkey" }),
  secret: "only for a test, only for a test, only for a test",
  baseURL: "http://localhost:3000",
  emailAndPassword: { enabled: true },
};
const { runMigrations } = await getMigrations(options);
await runMigrations();
const auth = betterAuth(options);
for (const name of ["betty", "bob"]) {
  await auth.api.signUpEmail({
    body: { name, email: `${name}@example.com`, password: `${name}-walks-9-dogs` },
  });
}
await options.database.end();
