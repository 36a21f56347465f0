// Going back to what was answered: by the server's word, or by what the page itself knows (`before`).

import { AHEAD } from "/room/page/course.js";
import { ask } from "/room/page/outbox.js";
import { part, room, sessionShown } from "/room/page/state.js";

export function goingBack(before, { box, news, recount, present }) {
  // To what was answered last, and from there to what was answered before it.
  async function undo() {
    if (room.busy) return;
    if (room.offline || box.pending().length) {
      visitOwn();
      return;
    }
    const back = room.state?.back ?? [];
    const here = room.visiting ? back.indexOf(room.step.assignment) : back.length;
    const at = back[here - 1];
    const answered = at && await ask(`/room/state?at=${at}&ahead=${AHEAD}`, { tries: 1 });
    if (!answered || answered.status >= 400) {
      news.tell("told", answered?.status === 503 ? "undo_later" : "undo_none");
      return;
    }
    news.drop("told");
    room.state = answered.body;
    room.visiting = true;
    recount();
    present(room.state);
  }

  // The same by what the page itself knows.
  function visitOwn() {
    const open = before.open(sessionShown(), room.queue);
    const here = room.visiting ? open.indexOf(room.step.assignment) : open.length;
    if (here < 1) {
      news.tell("told", "undo_later");
      return;
    }
    news.drop("told");
    room.visiting = true;
    present(before.again(open[here - 1]));
  }

  // Offered where there is something to go back to, by the server's word or the page's own.
  function draw() {
    const { view, step, state, visiting } = room;
    const there = visiting || state?.back?.length || before.open(sessionShown(), room.queue).length;
    part.back.hidden = room.stopped || !there || !(step || view === "break" || view === "draw");
  }

  return { undo, draw };
}
