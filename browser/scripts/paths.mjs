// Where things are. Every script starts from the repository's root, wherever it is called from.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
export const build = join(root, "build");
export const dist = join(root, "browser", "dist");
export const pyodideDir = join(root, "node_modules", "pyodide");

/** Every file under `folder` that `wanted` accepts, as sorted paths relative to `base`. */
export function filesUnder(folder, wanted, base = folder) {
  const found = [];
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) {
      if (name !== "__pycache__") found.push(...filesUnder(path, wanted, base));
    } else if (wanted(name)) {
      found.push(relative(base, path));
    }
  }
  return found;
}

/** One digest over the names and contents of files. */
export function digestOf(paths, base) {
  const hash = createHash("sha256");
  for (const path of paths) {
    hash
      .update(`${path}\0`)
      .update(readFileSync(join(base, path)))
      .update("\0");
  }
  return hash.digest("hex");
}
