// What a key means: {pick: n} the n-th option, {move: ±1} another question, {step: ±1} another
// option, {pan: [x, y]} the picture, {onward}, or {act: name}; null where the key is not ours.

const LETTERS = {
  u: "undo", s: "skip", r: "remark", f: "flags", z: "large",
  "+": "closer", "=": "closer", "-": "further", 0: "fit",
  p: "play", ",": "frame_back", ".": "frame_on", l: "loop", h: "half",
  "?": "help",
};
// the keys of a question's options, in their order: nine digits, then the letters that are free
export const OPTION_KEYS = "123456789ABCDEGIJKMNOQTVWXY";
const ARROWS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
const REPEATED = new Set(["closer", "further", "frame_back", "frame_on"]);

export function meaning(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return null;
  // a Chinese input method may give full-width forms
  const pressed = event.key.length > 1 ? event.key : event.key.normalize("NFKC").replace("。", ".");
  const option = pressed.length > 1 ? -1 : OPTION_KEYS.indexOf(pressed.toUpperCase());
  if (option >= 0) return event.repeat ? {} : { pick: option };
  const arrow = ARROWS[event.key];
  if (arrow) {
    if (event.shiftKey) return { pan: arrow };
    return arrow[1] ? { move: arrow[1] } : { step: arrow[0] };
  }
  if (event.key === "Enter") return event.repeat ? {} : { onward: true };
  if (event.key === "Escape") return { act: "leave" };
  const act = LETTERS[pressed.toLowerCase()];
  if (!act) return null;
  return event.repeat && !REPEATED.has(act) ? {} : { act };
}
