// What is shown: elements and questions made from what the server says, without any state of
// their own. `say` gives a text of the catalogue in the rater's language.

import { element } from "/room/page/questions.js";

export function step(text) {
  return element("p", { class: "room-step" }, text);
}

// The questions of a phase, as `drawQuestion` takes them.
export function asked(setup, state, { language, say, stacked }) {
  if (state.phase === "attribution") {
    const options = setup.labels.map(({ id, name }) => ({ value: id, label: name[language] }));
    return ["manner", "things"].map((id) => ({
      id, kind: "labels", head: say(id), hint: say(`${id}_hint`), options,
    }));
  }
  if (state.phase === "scales") {
    return setup.scales
      .filter(({ id }) => state.scales.includes(id))
      .map((scale) => ({
        id: scale.id,
        kind: "scale",
        head: scale.label[language],
        hint: scale.question[language],
        options: scaleOptions(scale, language, setup.not_applicable, say),
        example: scale.example[language] && [say("example"), scale.example[language]],
      }));
  }
  const above = stacked ? { left: "upper", right: "lower" } : {};
  const options = setup.winners.map((id) => ({ value: id, label: say(above[id] ?? id) }));
  return [{ id: "winner", kind: "duel", head: say("pair"), hint: "", options }];
}

function scaleOptions(scale, language, notApplicable, say) {
  const marks = Array.from({ length: scale.high - scale.low + 1 }, (_, index) => {
    const value = scale.low + index;
    const anchor = scale.anchors[value]?.[language];
    return { value, label: value, anchor, spoken: anchor ? `${value}: ${anchor}` : null };
  });
  const none = { value: notApplicable, label: say("not_applicable"), apart: true };
  return notApplicable ? [...marks, none] : marks;
}

// How many options a question has at most: so many digits are keys.
export function mostOptions(setup) {
  const marks = setup.scales.map(({ low, high }) => high - low + 1 + (setup.not_applicable ? 1 : 0));
  return Math.min(9, Math.max(setup.labels.length, ...marks));
}

export function figures(state, { say, stacked }) {
  const two = stacked ? ["upper_picture", "lower_picture"] : ["left_picture", "right_picture"];
  const sides = state.phase === "pair" ? two : ["picture"];
  return state.stimuli.map((one, index) => {
    const image = element("img", { src: state.addresses[index], alt: say(sides[index]) });
    image.style.setProperty("--width", one.width);
    image.style.setProperty("--height", one.height);
    return element("figure", {}, image);
  });
}

// Phase one, closed: what was answered can be read and no longer be changed.
export function settled(earlier, labels, { language, say }) {
  const name = (id) => labels.find((one) => one.id === id).name[language];
  return element(
    "dl",
    { class: "room-settled" },
    ...["manner", "things"].flatMap((aspect) => [
      element("dt", {}, say(`${aspect}_short`)),
      element("dd", {}, name(earlier[aspect])),
    ]),
    element("dd", { class: "room-lock" }, say("settled")),
  );
}

export function sceneText(text, tag, say) {
  return element(
    "div",
    { class: "room-text" },
    step(say("text")),
    element("blockquote", { lang: tag }, text),
  );
}

export function ending(view, receipt, say) {
  const made = [
    element("h1", {}, say(`${view}_title`)),
    element("p", {}, say(`${view}_text`)),
  ];
  if (receipt) {
    made.push(
      step(say("receipt")),
      element("p", { class: "room-receipt" }, receipt),
      element("p", {}, say("receipt_hint")),
    );
  }
  return made;
}

export function help(keys, { digits, say, close }) {
  return [
    element("h2", {}, say("help_title")),
    element(
      "dl",
      {},
      ...keys.flatMap(([names, what]) => [
        element("dt", {}, element("kbd", {}, names.replace("{digits}", digits))),
        element("dd", {}, what),
      ]),
    ),
    element("p", {}, say("help_text")),
    element("button", { type: "button", onclick: close }, say("close")),
  ];
}
