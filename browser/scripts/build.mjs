// Bundles browser/src into browser/dist: the page client, the engine worker, and the types of the client.
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import * as esbuild from "esbuild";
import { lock, pyodideVersion } from "./lock.mjs";
import { dist, root } from "./paths.mjs";

const options = {
  absWorkingDir: root,
  bundle: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  sourcemap: true,
  logLevel: "warning",
  define: {
    WEFT_PYODIDE_LOCK: JSON.stringify(JSON.stringify(lock)),
    WEFT_PYODIDE_VERSION: JSON.stringify(pyodideVersion),
  },
};

/** Bundle one entry of browser/src or web/ into a file. */
export async function bundle(entry, outfile, extra = {}) {
  await esbuild.build({ ...options, entryPoints: [join(root, entry)], outfile, minify: true, ...extra });
}

export async function buildClient() {
  mkdirSync(dist, { recursive: true });
  await bundle("browser/src/page/index.ts", join(dist, "weft.js"));
  await bundle("browser/src/worker/index.ts", join(dist, "weft-worker.js"));
}

export function buildTypes() {
  rmSync(join(dist, "types"), { recursive: true, force: true });
  execFileSync(
    process.execPath,
    [join(root, "node_modules/typescript/bin/tsc"), ...["-p", join(root, "tsconfig.build.json")]],
    { stdio: "inherit" },
  );
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await buildClient();
  buildTypes();
}
