import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [react()],
  // The client is a link to a directory that has a React of its own, for its tests.
  resolve: { dedupe: ["react"] },
  server: {
    proxy: {
      "/api": {
        target: process.env.LATCHKEY_URL ?? "http://localhost:8080",
        // Keeps the Host header. Browsers that send no Sec-Fetch-Site, as on http://192.168.…, are let in only if it
        // agrees with Origin.
        changeOrigin: false,
      },
    },
  },
});
