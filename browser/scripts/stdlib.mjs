// Makes the standard library zip that pages boot from: modules compiled by this very Pyodide, the engine inside.
// Starting from it is three times as fast as from the stock zip, which holds sources only.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { bootPython, copyIn } from "./node_pyodide.mjs";
import { build, digestOf, filesUnder, pyodideDir, root } from "./paths.mjs";

const COMPILE = `
import zipfile
from importlib._bootstrap_external import _code_to_hash_pyc
from pathlib import Path

def pyc(data, name):
    return bytes(_code_to_hash_pyc(compile(data, name, "exec", dont_inherit=True), bytes(8), False))

def entry(name):
    info = zipfile.ZipInfo(name)  # a constant date: the same input gives the same bytes
    info.compress_type = zipfile.ZIP_DEFLATED
    return info

with zipfile.ZipFile("/old.zip") as old, zipfile.ZipFile("/new.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=6) as new:
    for name in old.namelist():
        data = old.read(name)
        if name.endswith(".py"):
            name, data = name + "c", pyc(data, name)
        new.writestr(entry(name), data)
    base = Path("/tree")
    for path in sorted(base.rglob("*")):
        if path.is_file():
            name, data = path.relative_to(base).as_posix(), path.read_bytes()
            new.writestr(entry(name), data)  # kept beside its bytecode, for tracebacks
            if name.endswith(".py"):
                new.writestr(entry(name + "c"), pyc(data, name))
`;

const kept = (name) => /\.(py|typed|js|mjs)$/.test(name);

/** The path of the zip for the engine as it is in the tree now; made when it is not there yet. */
export async function stdlibZip() {
  const inputs = filesUnder(join(root, "weft_core"), kept).map((path) => join("weft_core", path));
  const own = ["browser/scripts/stdlib.mjs", "node_modules/pyodide/package.json", ...inputs];
  const target = join(build, "stdlib", `${digestOf(own, root).slice(0, 16)}.zip`);
  if (existsSync(target)) return target;
  const python = await bootPython();
  python.FS.writeFile("/old.zip", readFileSync(join(pyodideDir, "python_stdlib.zip")));
  copyIn(python, "weft_core", "/tree", kept);
  python.runPython(COMPILE);
  mkdirSync(dirname(target), { recursive: true });
  const partial = `${target}.${process.pid}`;
  writeFileSync(partial, python.FS.readFile("/new.zip"));
  renameSync(partial, target);
  return target;
}
