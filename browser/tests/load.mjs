/** Bundles a module of browser/src and imports it, so that tests run the TypeScript as it is. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import * as esbuild from "esbuild";
import { root } from "../scripts/paths.mjs";

/** Modules are loaded once for each `salt`. */
export async function load(path, salt = "") {
  const built = await esbuild.build({
    entryPoints: [join(root, "browser/src", path)],
    bundle: true,
    format: "esm",
    write: false,
    footer: { js: `// ${salt}` },
  });
  return import(`data:text/javascript;base64,${Buffer.from(built.outputFiles[0].contents).toString("base64")}`);
}

/** What a Python program prints as JSON; its argument, as JSON, is in `told`. */
export function python(program, told) {
  const local = join(root, ".venv/bin/python");
  const code = `import json, sys\ntold = json.load(sys.stdin)\n${program}`;
  const interpreter = existsSync(local) ? local : "python3";
  return JSON.parse(
    execFileSync(interpreter, ["-c", code], { cwd: root, input: JSON.stringify(told), encoding: "utf8" }),
  );
}
