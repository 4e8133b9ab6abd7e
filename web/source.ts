/** The workflow's source with the line at which the run waits. */

import { make } from "./dom.js";

const KEYWORDS =
  "and as assert async await break class continue def del elif else except finally for from if import in is lambda not or pass raise return try while with yield None True False";
const TOKEN = new RegExp(
  [
    "(?<c>#.*)",
    "(?<s>[rbf]*(?:\"[^\"\\\\]*(?:\\\\.[^\"\\\\]*)*\"|'[^'\\\\]*(?:\\\\.[^'\\\\]*)*'))",
    `(?<k>\\b(?:${KEYWORDS.replaceAll(" ", "|")})\\b)`,
    "(?<n>@[\\w.]+|(?<=\\b(?:def|class) )\\w+)",
  ].join("|"),
  "g",
);

export class SourceView {
  readonly #box: HTMLElement;
  #lines: HTMLElement[] = [];
  #here: HTMLElement | undefined;

  constructor(box: HTMLElement) {
    this.#box = box;
  }

  show(source: string): void {
    let inText = false;
    this.#lines = source.split("\n").map((line) => {
      const fences = line.split('"""').length - 1;
      const row = inText || fences > 0 ? make("div", "", make("span", "s", line)) : make("div", "", ...coloured(line));
      if (fences % 2 === 1) inText = !inText;
      return row;
    });
    this.#box.replaceChildren(...this.#lines);
  }

  /** Mark a line (from 1) and bring it into sight without moving the page; null marks none. */
  mark(line: number | null): void {
    const row = line === null ? undefined : this.#lines[line - 1];
    if (row === this.#here) return;
    this.#here?.classList.remove("here");
    this.#here = row;
    if (!row) return;
    row.classList.add("here");
    const top = row.offsetTop - this.#box.offsetTop;
    const seen = top >= this.#box.scrollTop + 20 && top <= this.#box.scrollTop + this.#box.clientHeight - 50;
    if (seen) return;
    const { height } = row.getBoundingClientRect(); // offsetHeight is rounded
    const above = Math.round((this.#box.clientHeight * 0.45) / height);
    this.#box.scrollTop = (this.#lines.indexOf(row) - above) * height; // no line is cut at the top
  }
}

function coloured(line: string): (string | Node)[] {
  const parts: (string | Node)[] = [];
  let from = 0;
  for (const match of line.matchAll(TOKEN)) {
    const kind = Object.entries(match.groups ?? {}).find(([, text]) => text !== undefined)?.[0] ?? "";
    parts.push(line.slice(from, match.index), make("span", kind, match[0]));
    from = match.index + match[0].length;
  }
  parts.push(line.slice(from));
  return parts;
}
