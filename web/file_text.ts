/** The text of a file that somebody chose. Guesses no encoding: a wrong guess would be imported as wrong letters. */

/** `line` is the first that is no text in `encoding`, which is UTF-8 where the file does not begin with another's mark. */
export type FileText = { readonly text: string } | { readonly encoding: string; readonly line: number };

const MARKS: Readonly<Record<string, string>> = { "255,254": "utf-16le", "254,255": "utf-16be" };

export function textOf(bytes: Uint8Array): FileText {
  const encoding = MARKS[bytes.subarray(0, 2).join()] ?? "utf-8";
  try {
    const text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
    if (!text.includes("\0")) return { text };
  } catch {}
  const torn = new TextDecoder(encoding).decode(bytes).replaceAll("\0", "\ufffd"); // UTF-16 without its mark is full of zeros
  return { encoding: encoding.toUpperCase(), line: torn.slice(0, torn.indexOf("\ufffd")).split("\n").length };
}
