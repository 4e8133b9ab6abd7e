// Assembles build/site, a folder for any static host: the demo page, the client, the worker, Pyodide, and the standard
// library with the engine inside. All that a page needs comes from the site's own origin.
import { cpSync, mkdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { buildClient, bundle } from "./build.mjs";
import { build, dist, pyodideDir, root } from "./paths.mjs";
import { stdlibZip } from "./stdlib.mjs";

export const site = join(build, "site");
const PYODIDE = ["pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm"];
const CLIENT = ["weft.js", "weft.js.map", "weft-worker.js", "weft-worker.js.map"];
const PAGES = ["index.html", "style.css"];

/** Everything under weft/, the folder that `Weft.open` calls `assets`. */
export async function writeAssets(folder) {
  mkdirSync(folder, { recursive: true });
  for (const name of PYODIDE) cpSync(join(pyodideDir, name), join(folder, name));
  for (const name of CLIENT) cpSync(join(dist, name), join(folder, name));
  cpSync(await stdlibZip(), join(folder, "stdlib.zip"));
}

export async function buildSite() {
  await buildClient();
  rmSync(site, { recursive: true, force: true });
  await writeAssets(join(site, "weft"));
  for (const name of PAGES) cpSync(join(root, "web", name), join(site, name));
  await bundle("web/main.ts", join(site, "main.js"), {
    alias: { "weft-browser": "./weft/weft.js" },
    external: ["./weft/weft.js"],
  });
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await buildSite();
  const bytes = statSync(join(site, "weft", "stdlib.zip")).size;
  console.log(`build/site is ready; the standard library with the engine is ${(bytes / 1e6).toFixed(1)} MB`);
}
