// Bundles the store's bridge into weft_core/store/indexeddb_bridge.js: the copy that the Python package carries.
// `node browser/scripts/bridge.mjs` writes it; a test compares it with the sources.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import * as esbuild from "esbuild";
import { root } from "./paths.mjs";

export const carriedBridge = join(root, "weft_core/store/indexeddb_bridge.js");

/** The script that sets `globalThis.weftBridge`. */
export async function bridgeScript() {
  const built = await esbuild.build({
    absWorkingDir: root,
    stdin: {
      contents: 'import { installBridge } from "./browser/src/store/bridge.ts"; installBridge();',
      resolveDir: root,
    },
    bundle: true,
    minify: true,
    format: "iife",
    target: "es2022",
    charset: "ascii",
    write: false,
  });
  const note = "// Made from browser/src/store by browser/scripts/bridge.mjs; do not edit.\n";
  return note + built.outputFiles[0].text;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) writeFileSync(carriedBridge, await bridgeScript());
