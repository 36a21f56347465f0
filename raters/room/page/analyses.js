// Two analyses of one work: their texts side by side, and marks on passages. What a model wrote
// becomes text nodes, never markup.

import { element } from "/room/page/elements.js";

export const SIDES = ["left", "right"];

// A text cut into sentences: [start, end) in characters, nothing left out between them.
export function sentences(text) {
  const found = [];
  const end = /(?:[。！？!?]+[”』」"')]*|\.(?=\s|$)[”"')]*|\n)\s*/g;
  let start = 0;
  for (const match of text.matchAll(end)) {
    const stop = match.index + match[0].length;
    if (text.slice(start, stop).trim()) {
      found.push([start, stop]);
      start = stop;
    }
  }
  if (text.slice(start).trim()) found.push([start, text.length]);
  return found;
}

// In which language a text is read out, where it may not be the page's.
function tongue(text, language) {
  if (/[\u3400-\u9fff]/.test(text)) return "zh";
  return language === "zh" ? "en" : null;
}

// Nothing, wrong, invented, nothing: what a further press on a sentence makes of it.
export function pressed(marks, at, kinds, most) {
  const same = (one) => one.side === at.side && one.section === at.section && one.start === at.start;
  const before = marks.find(same);
  const rest = marks.filter((one) => !same(one));
  const kind = kinds[before ? kinds.indexOf(before.kind) + 1 : 0];
  return kind && rest.length < most ? [...rest, { ...at, kind }] : rest;
}

export function drawAnalyses(step, { marks, setup, language, say, stacked, toggle, fixed }) {
  const names = stacked ? { left: "upper_analysis", right: "lower_analysis" } : { left: "left_analysis", right: "right_analysis" };
  const articles = step.analyses.map((sections, index) => {
    const side = SIDES[index];
    return element(
      "article", { class: "room-analysis", "data-side": side, "aria-label": say(names[side]) },
      element("h2", {}, say(names[side])),
      ...sections.flatMap(({ question, text }, section) => [
        sections.length > 1 ? element("h3", {}, question[language] ?? "") : null,
        element("p", { lang: tongue(text, language) }, ...passages(text, { side, section })),
      ]),
    );
  });

  function passages(text, place) {
    return sentences(text).map(([start, end]) => {
      const at = { ...place, start, end };
      const mark = marks.find((one) => one.side === at.side && one.section === at.section && one.start === start);
      const said = mark ? say(`mark_${mark.kind}`) : "";
      const press = () => { if (!fixed) toggle(at); };
      return element(
        "span",
        {
          class: "room-passage", role: "button", tabindex: "0", "data-mark": mark?.kind, "data-said": said,
          "data-at": `${at.side}-${at.section}-${at.start}`, "aria-pressed": String(Boolean(mark)),
          "aria-label": mark ? `${said}: ${text.slice(start, end)}` : null,
          onclick: press,
          onkeydown: (event) => {
            if (event.key !== "Enter" && event.key !== " ") return;
            event.preventDefault();
            event.stopPropagation();
            press();
          },
        },
        text.slice(start, end),
      );
    });
  }

  const [{ question }] = step.analyses[0];
  const asked = step.analyses[0].length === 1 ? element("p", { class: "room-asked" }, question[language] ?? "") : null;
  return element(
    "section", { class: "room-analyses" },
    asked,
    element("p", { class: "room-why" }, say("marks_hint")),
    element("div", { class: "room-both" }, ...articles),
  );
}

// One vote, and the same scales of each side.
export function readingQuestions(setup, { language, say, stacked, scaleOptions }) {
  const above = stacked ? { left: "upper", right: "lower" } : {};
  const side = (id) => say(`${above[id] ?? id}_analysis`);
  const winner = {
    id: "winner", kind: "duel", head: say("reading"), hint: "",
    options: setup.winners.map((id) => ({
      value: id, label: SIDES.includes(id) ? side(id) : say(id),
    })),
  };
  const scales = setup.scales.flatMap((scale) =>
    SIDES.map((id) => ({
      id: `${id}:${scale.id}`,
      kind: "scale",
      head: `${scale.label[language]} · ${side(id)}`,
      hint: id === "left" ? scale.question[language] : "",
      options: scaleOptions(scale),
    })),
  );
  return [winner, ...scales];
}

export function readingPayload(choices, marks) {
  const scales = { left: {}, right: {} };
  for (const [id, value] of Object.entries(choices)) {
    const [side, scale] = id.split(":");
    if (scale) scales[side][scale] = value;
  }
  return { winner: choices.winner, scales, marks };
}

export function readingDraft({ winner, scales, marks }) {
  const choices = { winner };
  for (const side of SIDES) {
    for (const [id, value] of Object.entries(scales[side])) choices[`${side}:${id}`] = value;
  }
  return { choices, flags: [...marks] };
}

export function drawOffer({ say }) {
  return [
    element("h1", { tabindex: "-1" }, say("draw_title")),
    element("p", {}, say("draw_text")),
  ];
}

