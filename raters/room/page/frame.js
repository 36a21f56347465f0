// The frame around pictures and questions: progress, languages, and whether the answers are safe.

import { element } from "/room/page/elements.js";
import { doneWith } from "/room/page/course.js";
import { part, room, say, sessionShown } from "/room/page/state.js";

export function drawFrame(speak) {
  document.documentElement.lang = room.setup.texts[room.language].tag;
  document.title = say("title");
  part.line.setAttribute("aria-label", say("progress"));
  part["help-open"].setAttribute("aria-label", say("help"));
  part.languages.setAttribute("aria-label", say("language"));
  part.languages.replaceChildren(
    ...room.setup.languages.map((language) =>
      element(
        "button",
        {
          type: "button",
          lang: room.setup.texts[language].tag,
          "aria-pressed": String(language === room.language),
          onclick: (event) => speak(language, event.detail > 0),
        },
        room.setup.texts[language].name,
      ),
    ),
  );
  part.back.textContent = say("back");
  part.skip.textContent = say("skip");
}

export function drawProgress(pending) {
  const { state } = room;
  const done = doneWith(state, pending);
  part.line.firstElementChild.style.transform = `scaleX(${state.total ? done / state.total : 0})`;
  part.line.setAttribute("aria-valuemax", state.total);
  part.line.setAttribute("aria-valuenow", done);
  part.count.textContent = state.total ? say("count", { done, total: state.total }) : "";
  drawPart();
}

// The part that the page is in. How long it still lasts is known where the server speaks of the same
// part, and of none that is over.
export function drawPart() {
  const { sessions, assignment } = room.state;
  const { number, of, seconds_left } = sessions ?? {};
  const here = sessionShown() || number;
  const minutes = Math.ceil((seconds_left ?? 0) / 60);
  const told = say(here === number && room.view !== "break" ? "part_left" : "part", { number: here, of, minutes });
  part.part.textContent = of > 1 && assignment ? told : "";
}

export function drawSaved(news, pending) {
  const count = pending.length;
  const key = count === 1 ? "unsaved_one" : "unsaved";
  if (count && room.offline) {
    news.safe("unsaved_count", { count });
    news.tell("unsaved", key, { count });
    return;
  }
  news.drop("unsaved");
  news.safe(count ? "saving" : room.saved ? "saved" : "");
}
