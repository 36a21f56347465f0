// The stage: pictures or clips with their glass (zoom) and, of clips, their player.

import { clipElement, player } from "/room/page/clips.js";
import { button, element } from "/room/page/elements.js";
import { drawMarks } from "/room/page/flags.js";
import { sides } from "/room/page/views.js";
import { viewer } from "/room/page/viewer.js";

export function stage({ panes, under }, { say, stacked, tapped, played, large }) {
  let running = null;
  let now = null; // {step, pictures}: the step, and the elements that show it
  let percent = element("span", { class: "room-percent" });
  const look = viewer(panes, {
    tapped: (x, y) => tapped(x, y),
    changed: (size) => { percent.textContent = `${size} %`; },
  });

  function glass() {
    percent = element("span", { class: "room-percent" }, percent.textContent);
    const tool = (sign, key, act) => button("", sign, act, { "aria-label": say(key), title: say(key) });
    return element(
      "div", { class: "room-glass", role: "group", "aria-label": say("glass") },
      tool("−", "further", () => look.zoomBy(-1)),
      percent,
      tool("+", "closer", () => look.zoomBy(1)),
      button("", say("fit"), look.fit),
      button("room-large", say("large"), large),
    );
  }

  function name() {
    if (!now) return;
    const names = sides(now.step, { say, stacked: stacked() });
    now.pictures.forEach((picture, index) => {
      picture.setAttribute(picture.tagName === "IMG" ? "alt" : "aria-label", names[index]);
    });
  }

  // names and what stands under the pictures are drawn anew when the language changes
  function tools() {
    running?.speak();
    name();
    under.replaceChildren(glass(), ...(running ? [running.bar] : []));
  }

  function show(step, addresses) {
    running?.end();
    const shown = step.stimuli.map(({ kind, width, height }, index) => {
      const picture = kind === "clip"
        ? clipElement(addresses[index])
        : element("img", { src: addresses[index], draggable: "false" });
      return { picture, width, height, kind };
    });
    const videos = shown.filter(({ kind }) => kind === "clip").map(({ picture }) => picture);
    running = videos.length ? player(videos, { say, played }) : null;
    now = { step, pictures: shown.map(({ picture }) => picture) };
    look.show(shown);
    tools();
    running?.start();
  }

  function clear() {
    running?.end();
    running = null;
    now = null;
    look.show([]);
    under.replaceChildren();
  }

  // a row of buttons must not take the keyboard from the questions when it is clicked
  under.addEventListener("mousedown", (event) => {
    if (event.target.closest("button")) event.preventDefault();
  });

  return {
    show,
    clear,
    look,
    tools,
    act: (name) => running?.act[name]?.(),
    plays: () => running?.plays() ?? null,
    time: () => running?.time() ?? null,
    mark: (marks) => { for (const frame of look.frames().slice(0, 1)) drawMarks(frame, marks); },
  };
}
