// What is shown beside the questions: elements made from what the server says, without any state
// of their own. `say` gives a text of the catalogue in the rater's language.

import { button, element, paragraphs } from "/room/page/elements.js";

export function stepLine(text, name = "") {
  return element("p", { class: `room-step ${name}`.trim() }, text);
}

export function sides(step, { say, stacked }) {
  if (step.stimuli.length < 2) return [say("picture")];
  return (stacked ? ["upper_picture", "lower_picture"] : ["left_picture", "right_picture"]).map(
    (one) => say(one),
  );
}

// Phase one, closed: what was answered can be read and no longer be changed.
export function settled(earlier, labels, { language, say }) {
  const name = (id) => labels.find((one) => one.id === id)?.name[language] ?? id;
  const answer = (aspect) => element(
    "div", {}, element("dt", {}, say(`${aspect}_short`)), element("dd", {}, name(earlier[aspect])),
  );
  return element(
    "div", { class: "room-settled" },
    element("dl", {}, ...["manner", "things"].map(answer)),
    element("p", {}, say("settled")),
  );
}

// The scene's text, of one picture or of the two that are compared.
export function sceneText(text, tag, { say, several }) {
  return element(
    "div",
    { class: "room-text", tabindex: "0", role: "note" },
    stepLine(say(several ? "text_of_both" : "text")),
    element("blockquote", { lang: tag }, text),
  );
}

export function instruction(text, say) {
  return element(
    "div", { class: "room-instruction", role: "note" },
    stepLine(say("instruction")), element("p", {}, text),
  );
}

// After the answer of a practice step: what we saw, and why.
export function explanation({ manner, things, scales, text }, setup, { language, say }) {
  const label = (id) => setup.labels.find((one) => one.id === id)?.name[language] ?? id;
  const rows = [[say("manner_short"), label(manner)], [say("things_short"), label(things)]];
  for (const [id, value] of Object.entries(scales ?? {})) {
    const scale = setup.scales.find((one) => one.id === id);
    if (scale) rows.push([scale.label[language], String(value)]);
  }
  return element(
    "div",
    { class: "room-explanation", role: "status", tabindex: "-1" },
    element("h2", {}, say("explained")),
    element("dl", {}, ...rows.flatMap(([what, how]) => [element("dt", {}, what), element("dd", {}, how)])),
    ...paragraphs(text[language] ?? ""),
  );
}

export function remarkField(value, { say, longest, write, opened }) {
  const area = element("textarea", {
    rows: "3", maxlength: longest, "aria-label": say("remark"),
    oninput: (event) => write("remark", event.target.value),
  });
  area.value = value;
  const made = element(
    "details", { class: "room-remark" },
    element("summary", {}, say("remark")), area,
  );
  made.open = opened || Boolean(value);
  return made;
}

export function pauseOffer({ number, of }, { say }) {
  return [
    element("h1", { tabindex: "-1" }, say("break_title", { done: number - 1, of })),
    ...paragraphs(say("break_text")),
  ];
}

export function waitingText(say, { last }) {
  const text = say(last ? "waiting_end" : "waiting_text");
  return [element("h1", { tabindex: "-1" }, say("waiting_title")), element("p", {}, text)];
}

export function ending(view, { receipt, debriefing, say, save }) {
  const made = [
    element("h1", { tabindex: "-1" }, say(`${view}_title`)),
    element("p", {}, say(`${view}_text`)),
  ];
  if (debriefing) {
    made.push(
      element(
        "section", { class: "room-debriefing" },
        element("h2", {}, say("debriefing")), ...paragraphs(debriefing),
      ),
    );
  }
  if (receipt) {
    made.push(
      element(
        "section", { class: "room-kept" },
        element("h2", {}, say("receipt")),
        element("p", { class: "room-receipt" }, receipt),
        element("p", {}, say("receipt_hint")),
        button("room-plain", say("receipt_save"), save),
      ),
    );
  }
  return made;
}
