import { createClient } from "latchkey-client";

/** The API is at the page's own origin: Vite's proxy or Latchkey itself sees to that. */
export const client = createClient();
