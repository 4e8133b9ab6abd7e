// The pure wheels that tests inside Pyodide need. `node browser/scripts/wheels.mjs` prints their paths, one a line.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build, digestOf, root } from "./paths.mjs";

const REQUIREMENTS = "browser/scripts/requirements.txt";

/** The paths of the wheels, fetched by pip once for each version of the list. */
export function wheels() {
  const folder = join(build, "wheels", digestOf([REQUIREMENTS], root).slice(0, 16));
  const done = join(folder, "complete");
  if (!existsSync(done)) {
    mkdirSync(folder, { recursive: true });
    const python = existsSync(join(root, ".venv/bin/python")) ? join(root, ".venv/bin/python") : "python3";
    const flags = [
      "-qq",
      "--python-version",
      "3.14",
      "--disable-pip-version-check",
      "--no-deps",
      "--only-binary",
      ":all:",
    ];
    execFileSync(python, ["-m", "pip", "download", ...flags, "-d", folder, "-r", join(root, REQUIREMENTS)], {
      stdio: "inherit",
    });
    writeFileSync(done, "");
  }
  return readdirSync(folder)
    .filter((name) => name.endsWith(".whl"))
    .map((name) => join(folder, name));
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) console.log(wheels().join("\n"));
