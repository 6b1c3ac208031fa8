import { defineConfig } from "vite";

export default defineConfig({
  // Relative, so that the files find each other in the bucket as they do on disk.
  base: "./",
  build: {
    outDir: "static/dist",
    // Flask-S3 reads it: the names that Vite has fingerprinted, and what templates call them.
    manifest: true,
    rollupOptions: { input: ["src/main.js", "src/style.css"] },
    // Pictures stay files, so that there is something to publish.
    assetsInlineLimit: 0,
  },
  server: {
    host: "127.0.0.1",
    port: 5173,
    strictPort: true,
    // Pages come from Flask's server, which is another origin.
    cors: true,
    origin: "http://127.0.0.1:5173",
  },
});
