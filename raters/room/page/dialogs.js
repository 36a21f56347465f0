// Windows before the room: help, skipping with a reason, and the question about the screen.

import { button, element } from "/room/page/elements.js";

export function help(list, { keys, language, say, close, elsewhere }) {
  return [
    element("h2", { id: "room-dialog-head" }, say("help_title")),
    element("p", {}, say("help_text")),
    element(
      "dl",
      {},
      ...list.flatMap(([names, what]) => [
        element("dt", {}, element("kbd", {}, names.replace("{keys}", keys))),
        element("dd", {}, what),
      ]),
    ),
    elsewhere,
    element("p", {}, element("a", { class: "room-leave", href: `/leave?language=${language}` }, say("leave"))),
    element("div", { class: "room-row" }, button("room-plain", say("close"), close)),
  ];
}

// How to go on on another device: a code, got when it is asked for.
export function elsewhereOffer({ say, get }) {
  const told = element("div", { class: "room-elsewhere", role: "status" });
  const ask = button("room-plain", say("elsewhere"), async () => {
    const got = await get();
    if (!got) told.replaceChildren(element("p", {}, say("elsewhere_failed")));
    else {
      told.replaceChildren(
        element("p", { class: "room-receipt" }, got.code),
        element("p", {}, say("elsewhere_text", { hours: got.hours })),
      );
    }
    told.scrollIntoView({ block: "nearest" }); // on a small screen it would lie below the edge
  });
  return element("div", {}, ask, told);
}

// A reason is chosen by a click or its digit; that is all it takes.
export function skipping(reasons, names, { say, skip, close, remark }) {
  const list = reasons.map((reason) => button("room-reason", "", () => skip(reason)));
  list.forEach((one, index) => {
    one.append(element("kbd", { "aria-hidden": "true" }, String(index + 1)), names[reasons[index]]);
  });
  return [
    element("h2", { id: "room-dialog-head" }, say("skip_title")),
    element("p", {}, say("skip_text")),
    remark ? element("p", { class: "room-field" },
      element("label", { for: "room-skip-remark" }, say("skip_remark")), remark) : null,
    element("div", { class: "room-reasons" }, ...list),
    element("div", { class: "room-row" }, button("room-plain", say("cancel"), close)),
  ].filter(Boolean);
}

// Steps of grey: who cannot tell the outermost apart sees less of a picture than the others.
export function screenCheck({ say, close }) {
  const steps = Array.from({ length: 11 }, (_, index) => {
    const patch = element("i");
    const grey = Math.round((255 * index) / 10);
    patch.style.background = `rgb(${grey} ${grey} ${grey})`;
    return patch;
  });
  return [
    element("h2", { id: "room-dialog-head" }, say("screen_title")),
    element("div", { class: "room-wedge", role: "img", "aria-label": say("screen_wedge") }, ...steps),
    element("p", {}, say("screen_text")),
    element("div", { class: "room-row" }, button("room-plain strong", say("screen_ready"), close)),
  ];
}
