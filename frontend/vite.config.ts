import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** The Django pages load htmx by a fixed name, so it is copied beside the hashed files. */
const copyHtmx = (): Plugin => ({
  name: "copy-htmx",
  generateBundle() {
    const source = readFileSync(here("./node_modules/htmx.org/dist/htmx.min.js"));
    this.emitFile({ type: "asset", fileName: "htmx.min.js", source });
  },
});

export default defineConfig({
  base: "/static/build/",
  plugins: [copyHtmx()],
  resolve: {
    // vtk.js reaches Node's `events` through xmlbuilder2, which breaks the page at start.
    alias: { xmlbuilder2: here("./src/stub/xmlbuilder2.ts") },
  },
  worker: { format: "es" },
  build: {
    outDir: here("../portal/static/build"),
    emptyOutDir: true,
    manifest: true,
    target: "es2022",
    sourcemap: false,
    chunkSizeWarningLimit: 5000,
    modulePreload: { polyfill: false },
    rollupOptions: {
      input: ["reading/main.ts", "reading/sign_out.ts", "plots/main.ts", "uploading/main.tsx"].map((entry) =>
        here(`./src/${entry}`),
      ),
    },
  },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
