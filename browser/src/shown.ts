/** Values in messages for people. Never throws, whatever it is given: somebody is about to be told what is wrong. */

const SHOWN_LENGTH_MAX = 80;

/** A value in a few words: a text in quotes, other things as JavaScript writes them. */
export function shownShort(given: unknown): string {
  const text = shown(given);
  return text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}…` : text;
}

function shown(given: unknown): string {
  try {
    if (typeof given === "string") return JSON.stringify(given);
    if (typeof given === "function") return given.name ? `the function ${given.name}` : "a function";
    if (Array.isArray(given)) return `an array of ${given.length}`;
    if (typeof given === "bigint") return `${given}n`;
    const text = String(given);
    return text === "[object Object]" ? JSON.stringify(given) : text;
  } catch {
    return `an ${typeof given} that cannot be looked at`;
  }
}
