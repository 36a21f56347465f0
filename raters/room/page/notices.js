// What the rater is told beside the questions: in the bar whether the answers are safe, in a strip
// below it what else he should know. Kept as names, so that a change of language says them anew.

import { button, element } from "/room/page/elements.js";

// the first of these that holds is shown: what answers a key of the rater comes before what lasts
const ORDER = ["closed", "told", "unsaved", "media", "no_clips", "small"];

export function notices({ saved, strip }, say) {
  const held = new Map();
  let safe = { key: "", values: {} };

  function refresh() {
    const text = safe.key ? say(safe.key, safe.values) : "";
    // the same words again would be read out again
    if (saved.textContent !== text) saved.textContent = text;
    const kind = ORDER.find((one) => held.has(one));
    const { key, values } = held.get(kind) ?? {};
    const words = key ? say(key, values) : "";
    if (strip.firstChild?.textContent === words) return;
    strip.replaceChildren();
    strip.dataset.kind = kind ?? "";
    if (!key) return;
    strip.append(element("p", {}, words));
    if (kind === "told" || kind === "small") {
      strip.append(button("room-quiet", say("dismiss"), () => drop(kind)));
    }
  }

  function drop(kind) {
    if (held.delete(kind)) refresh();
  }

  return {
    refresh,
    drop,
    tell: (kind, key, values = {}) => {
      held.set(kind, { key, values });
      refresh();
    },
    safe: (key, values = {}) => {
      safe = { key, values };
      saved.dataset.kind = key === "unsaved_count" ? "warning" : "";
      refresh();
    },
  };
}
