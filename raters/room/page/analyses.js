// Two analyses of one work: their texts side by side, and marks on passages. What a model wrote
// becomes text nodes, never markup.

import { button, element } from "/room/page/elements.js";
import { marksIn, pieces, selectedIn, sentences, signsIn } from "/room/page/marking.js";
import { watch } from "/room/page/selecting.js";

export const SIDES = ["left", "right"];

// In which language a text is read out, where it may not be the page's: that of most of its letters.
export function textLanguage(text, language) {
  const letters = text.match(/\p{L}/gu) ?? [];
  const chinese = letters.filter((one) => /\p{Script=Han}/u.test(one));
  if (2 * chinese.length > letters.length) return "zh";
  return language === "zh" ? "en" : null;
}

// `press` is told of a sentence that the keyboard presses, `mark` of passages and what they are.
export function drawAnalyses(step, { marks, setup, language, say, stacked, press, mark, fixed }) {
  const names = stacked ? { left: "upper_analysis", right: "lower_analysis" } : { left: "left_analysis", right: "right_analysis" };
  const articles = step.analyses.map((sections, index) => {
    const side = SIDES[index];
    return element(
      "article", { class: "room-analysis", "data-side": side, "aria-label": say(names[side]) },
      element("h2", {}, say(names[side])),
      ...sections.flatMap(({ question, text }, section) => [
        sections.length > 1 ? element("h3", {}, question[language] ?? "") : null,
        element(
          "p", { lang: textLanguage(text, language), "data-side": side, "data-section": section },
          ...passages(text, { side, section }),
        ),
      ]),
    );
  });

  function passages(text, place) {
    const signs = Array.from(text);
    return sentences(text).map(([start, end]) => sentence(signs, { ...place, start, end }));
  }

  // all of it is shown; what is marked of it ends before its blanks
  function sentence(signs, shown) {
    const read = (start, end) => signs.slice(start, end).join("");
    const at = { ...shown, end: shown.start + signsIn(read(shown.start, shown.end).trimEnd()) };
    const own = marksIn(marks, at);
    const whole = own.find(({ start, end }) => start <= at.start && at.end <= end);
    const said = own.map((one) => (one === whole
      ? say(`mark_${one.kind}`)
      : `${say(`mark_${one.kind}`)} “${read(Math.max(one.start, at.start), Math.min(one.end, at.end)).trim()}”`));
    return element(
      "span",
      {
        class: "room-passage", role: "button", tabindex: "0", "data-mark": whole?.kind,
        "data-at": `${at.side}-${at.section}-${at.start}`, "aria-pressed": String(own.length > 0),
        "aria-label": own.length ? `${said.join(", ")}: ${read(at.start, at.end)}` : null,
        onclick: (event) => {
          if (fixed || !getSelection().isCollapsed) return;
          // a screen reader and a key press without a pointer
          if (event.detail === 0) press(at);
          else offer(targetOf(event, at), event.currentTarget);
        },
        onkeydown: (event) => {
          if (event.key !== "Enter" && event.key !== " ") return;
          event.preventDefault();
          event.stopPropagation();
          if (!fixed) press(at);
        },
      },
      ...pieces(marks, shown).map(([start, end, one]) => (one
        ? element(
          "span",
          { class: "room-marked", "data-mark": one.kind, "data-start": one.start,
            "data-said": end === one.end ? say(`mark_${one.kind}`) : null },
          read(start, end),
        )
        : read(start, end))),
    );
  }

  // a mark that was pressed as it is, else the sentence
  function targetOf(event, at) {
    const start = event.target.closest(".room-marked")?.dataset.start;
    const found = marks.find((one) => one.side === at.side && one.section === at.section && String(one.start) === start);
    return [found ?? at];
  }

  // ---- what a passage can be said to be, beside it

  const bar = element("div", { class: "room-marking", role: "toolbar", "aria-label": say("marking"), hidden: "" });
  const [{ question }] = step.analyses[0];
  const asked = step.analyses[0].length === 1 ? element("p", { class: "room-asked" }, question[language] ?? "") : null;
  const shown = element(
    "section", { class: "room-analyses" },
    asked,
    element("p", { class: "room-why" }, say("marks_hint")),
    element("div", { class: "room-both" }, ...articles),
    bar,
  );

  function offer(places, beside) {
    if (fixed || !places.length) return;
    const choose = (kind) => () => mark(places, kind);
    const there = places.some((place) => marksIn(marks, place).length);
    bar.replaceChildren(
      ...setup.marks.map((kind) => button("", say(`mark_${kind}`), choose(kind), { "data-kind": kind })),
      there ? button("", say("mark_none"), choose(null), { "data-kind": "none" }) : "",
      button("room-marking-close", "×", close, { "aria-label": say("close") }),
    );
    for (const one of shown.querySelectorAll(".chosen")) one.classList.remove("chosen");
    if (beside instanceof Element) beside.classList.add("chosen");
    bar.hidden = false;
    put(beside);
  }

  function put(beside) {
    const room = shown.getBoundingClientRect();
    const last = [...beside.getClientRects()].at(-1) ?? beside.getBoundingClientRect();
    // beneath the handles of a finger's selection
    const gap = matchMedia("(pointer: coarse)").matches ? 30 : 6;
    bar.style.top = `${last.bottom - room.top + gap}px`;
    bar.style.left = "0";
    const left = last.left - room.left;
    bar.style.left = `${Math.max(0, Math.min(left, room.width - bar.offsetWidth))}px`;
    bar.scrollIntoView({ block: "nearest" });
  }

  function close() {
    if (bar.hidden) return;
    bar.hidden = true;
    for (const one of shown.querySelectorAll(".chosen")) one.classList.remove("chosen");
  }

  // the selection must outlive the press on the bar
  bar.addEventListener("pointerdown", (event) => event.preventDefault());
  watch({
    selected() {
      if (!shown.isConnected || shown.contains(document.activeElement?.closest(".room-marking"))) return;
      const places = selectedIn(articles);
      if (places.length) offer(places, getSelection().getRangeAt(0));
      else if (!shown.querySelector(".chosen")) close();
    },
    pressedElsewhere: (target) => { if (!shown.querySelector(".room-both").contains(target) && !bar.contains(target)) close(); },
    close,
    isOpen: () => shown.isConnected && !bar.hidden,
  });
  return shown;
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

