// Keys, and what they do: every one of them has a button too.

import { meaning } from "/room/page/keys.js";
import { part, room } from "/room/page/state.js";

// `act` maps names of `keys.js` to what is done; `hand` answers, `sheet` and `scene` are panel and
// stage, `goOn` goes on.
export function keyboard({ act, hand, sheet, scene, goOn }) {
  function inWindow(event, key) {
    const typing = event.target.closest?.("textarea, input");
    if (part.dialog.dataset.kind === "help" && key.act === "help") {
      event.preventDefault();
      part.dialog.close();
    }
    if (part.dialog.dataset.kind === "skip" && key.pick !== undefined && !typing) {
      event.preventDefault();
      part.dialog.querySelectorAll(".room-reason")[key.pick]?.click();
    }
  }

  function placing(event, key) {
    const arrow = key.pan ?? (key.move ? [0, key.move] : key.step ? [key.step, 0] : null);
    if (arrow) hand.nudge(arrow, event.shiftKey);
    else if (key.onward) hand.placeAt(room.placing.x, room.placing.y);
    else if (key.act === "leave") hand.leave();
    else return false;
    return true;
  }

  function answer(key) {
    const question = sheet.questions()[room.active];
    if (!question) return;
    const { id, options } = question;
    if (key.pick !== undefined) {
      if (options[key.pick]) choose(options[key.pick].value);
    } else if (key.move) {
      sheet.move(room.active + key.move);
    } else {
      const at = options.findIndex(({ value }) => value === room.draft.choices[id]);
      const to = at < 0 ? (key.step > 0 ? 0 : options.length - 1) : at + key.step;
      if (options[to]) {
        const here = room.active;
        hand.pick(here, options[to].value);
        sheet.move(here);
      }
    }
  }

  function choose(value) {
    hand.pick(room.active, value);
    sheet.move(room.active);
  }

  return (event) => {
    const key = meaning(event);
    if (!key) return;
    if (part.dialog.open) {
      inWindow(event, key);
      return;
    }
    const typing = event.target.closest?.("textarea, input[type=text]");
    if (typing) {
      if (key.act === "leave") sheet.move(room.active);
      return;
    }
    // a button that has the focus keeps Enter and arrows to itself, a slider its arrows
    const tool = event.target.closest?.("button:not([role=radio]), summary, input");
    if (tool && (key.onward || key.step || (tool.matches("input") && key.move))) return;
    if (key.act === "leave" && !room.placing && !part.room.dataset.large) return;
    event.preventDefault();
    if (room.placing && placing(event, key)) return;
    if (key.act) act[key.act]?.();
    else if (key.pan) scene.look.pan(key.pan);
    else if (key.onward) goOn();
    else if (room.step && !room.busy && !room.explained && !part.room.dataset.large) {
      if (key.pick !== undefined || key.move || key.step) answer(key);
    }
  };
}
