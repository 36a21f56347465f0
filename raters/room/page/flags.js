// Faults that a rater sees: a kind and the place in the picture, in shares of its size, and of a
// clip the time. A kind is chosen first; then a click, a tap, or arrows and Enter place it.

import { button, element } from "/room/page/elements.js";

const SHORT = 0.02;
const LONG = 0.1;

// The list of kinds and of what is placed. `flags` are the draft's, `placing` is null or
// {kind, x, y, seen}.
export function flagPanel(setup, { names, flags, placing, say, begin, remove }) {
  const full = flags.length >= setup.flags_most;
  const kinds = setup.flags.map((kind) =>
    button("room-kind", names[kind], (event) => begin(kind, event.detail === 0), {
      "aria-pressed": String(placing?.kind === kind),
      "aria-disabled": full ? "true" : null,
    }),
  );
  const placed = flags.map((flag, index) => {
    const when = flag.t === undefined ? "" : ` · ${flag.t.toFixed(1)} s`;
    const text = `${index + 1}. ${names[flag.kind]}${when}`;
    return element(
      "li", {}, element("span", {}, text),
      button("room-remove", "×", () => remove(index), { "aria-label": `${say("remove")}: ${text}` }),
    );
  });
  return element(
    "section",
    { class: "room-flags", "aria-labelledby": "room-flags-head" },
    element("h2", { id: "room-flags-head" }, say("flags")),
    element("p", { class: "room-why" }, say("flags_hint")),
    element("p", { class: "room-placing", role: "status" },
      placing ? say("placing", { kind: names[placing.kind] }) : full ? say("flags_full") : ""),
    element("div", { class: "room-kinds" }, ...kinds),
    placed.length ? element("ol", { class: "room-placed" }, ...placed) : null,
  );
}

// Numbers on the picture where the flags are, and the cross that is being placed by the keys.
export function drawMarks(frame, { flags, placing }) {
  for (const old of frame.querySelectorAll(".room-mark, .room-cross")) old.remove();
  flags.forEach(({ x, y }, index) => {
    const mark = element("i", { class: "room-mark", "aria-hidden": "true" }, String(index + 1));
    frame.append(at(mark, x, y));
  });
  if (placing?.seen) frame.append(at(element("i", { class: "room-cross", "aria-hidden": "true" }), placing.x, placing.y));
}

function at(mark, x, y) {
  mark.style.left = `${x * 100}%`;
  mark.style.top = `${y * 100}%`;
  return mark;
}

const within = (share) => Math.min(Math.max(share, 0), 1);
const rounded = (share) => Number(within(share).toFixed(4));

export function nudged(placing, [x, y], far) {
  const by = far ? LONG : SHORT;
  return { ...placing, x: within(placing.x + x * by), y: within(placing.y + y * by), seen: true };
}

export function flagAt(kind, x, y, time) {
  const flag = { kind, x: rounded(x), y: rounded(y) };
  return time === null ? flag : { ...flag, t: Number(time.toFixed(3)) };
}
