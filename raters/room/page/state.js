// What the page knows of the rater's place, and the elements that it draws on. One of each.

import { emptyDraft } from "/room/page/asked.js";

export const room = {
  setup: null, // what the study asks, and all texts
  state: null, // what the server said last
  heard: 0, // how often the outbox has told something
  names: {}, // of what is kept in the browser's storage
  language: "en",
  queue: [], // steps still to be answered, in order
  settled: new Map(), // phase one of assignments whose phase two is known only ahead
  drawn: "", // the assignment of the painting that was drawn last
  rested: 0, // the session whose break was offered
  session: 0, // the session of the last step that was shown
  view: "loading", // the phase shown, or break, waiting, done, closed
  step: null, // the step shown
  turn: 0, // counts what is shown: who waited for an earlier picture gives up
  draft: emptyDraft(),
  drafts: {}, // of steps that were begun
  earlier: null, // phase one of the step shown
  resting: null, // the step after the break
  visiting: false, // the step shown is an earlier one, come back to
  explained: false, // it is a practice step, answered, and its explanation is shown
  active: 0, // the question that the keys answer
  placing: null, // the flag that is being placed
  busy: true,
  offline: false,
  stopped: false,
  since: 0, // performance.now() when the look, or its part since the window was hidden, began
  looked: 0, // milliseconds looked before that
};

const PARTS = ["line", "count", "part", "saved", "notice", "languages", "panes", "under", "head",
  "questions", "hint", "next", "back", "skip", "dialog", "help-open"];

export const part = {};

export function findParts(root) {
  for (const name of PARTS) part[name] = root.querySelector(`.room-${name}`);
  part.room = root.querySelector("#room");
}

// The session that the page is in: at a break, and at what is gone back to from there, the one before.
export const sessionShown = () => (room.view === "break" ? room.resting.session - 1 : room.session);

// where the style sheet puts two pictures one above the other
export const narrow = matchMedia("(max-width: 860px)");
export const stacked = () => narrow.matches;

export const texts = () => room.setup.texts[room.language].room;

export function say(key, values = {}) {
  return texts()[key].replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
