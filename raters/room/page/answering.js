// Answers as they are made: choices, words, and faults placed on the picture. They are kept as a
// draft at once, so that a reload finds them.

import { prune } from "/room/page/asked.js";
import { nameOf } from "/room/page/course.js";
import { flagAt, nudged } from "/room/page/flags.js";
import { keep } from "/room/page/outbox.js";
import { part, room } from "/room/page/state.js";

export function keepDrafts() {
  keep(room.names.drafts, Object.keys(room.drafts).length ? room.drafts : null);
}

// `sheet()` and `scene()` give panel and stage; `answered` is told of every choice.
export function answering({ sheet, scene, answered }) {
  function pick(number, value) {
    if (room.busy || room.explained) return;
    const before = shape();
    room.draft.choices[sheet().questions()[number].id] = value;
    prune(room.draft, sheet().questions());
    keepDraft();
    if (shape() !== before) {
      sheet().draw();
      sheet().move(number, { scroll: false });
    } else sheet().mark(number, value);
    const further = sheet().questions().findIndex(
      ({ id }, index) => index > number && !(id in room.draft.choices),
    );
    room.active = further >= 0 ? further : number;
    sheet().markActive();
    sheet().see(room.active);
    sheet().hint(false);
    answered();
  }

  // what is asked, and whether something is written beside it
  function shape() {
    const questions = sheet().questions();
    return JSON.stringify(
      questions.map(({ id, options, field }) => [id, options.map(({ value }) => value), Boolean(field)]),
    );
  }

  function write(name, text) {
    room.draft[name] = text;
    keepDraft();
  }

  function keepDraft() {
    room.drafts[nameOf(room.step)] = room.draft;
    keepDrafts();
  }

  // ---- faults placed on the picture

  function begin(kind, byKey) {
    if (room.draft.flags.length >= room.setup.flags_most || room.busy) return;
    const again = room.placing?.kind === kind;
    room.placing = again ? null : { kind, ...scene().look.middle(), seen: byKey };
    drawFlags();
    if (byKey) sheet().move(room.active, { scroll: false });
  }

  function nudge(by, far) {
    room.placing = nudged(room.placing, by, far);
    drawFlags();
  }

  function placeAt(x, y) {
    if (!room.placing) return false;
    room.draft.flags.push(flagAt(room.placing.kind, x, y, scene().time()));
    leave();
    keepDraft();
    return true;
  }

  function leave() {
    room.placing = null;
    drawFlags();
  }

  function remove(index) {
    room.draft.flags.splice(index, 1);
    keepDraft();
    drawFlags();
  }

  function drawFlags() {
    part.room.toggleAttribute("data-placing", Boolean(room.placing));
    sheet().drawFlags();
    const flags = room.step?.phase === "scales" ? room.draft.flags : [];
    scene().mark({ flags, placing: room.placing });
  }

  return { pick, write, begin, nudge, placeAt, leave, remove, drawFlags };
}
