// The rating room. The server says where the rater is; this page shows it and takes the answers.
// It goes on at once: answers travel by the outbox, and the steps ahead are known.

import { answering, keepDrafts } from "/room/page/answering.js";
import { draftOf, payloadOf } from "/room/page/asked.js";
import { goingBack } from "/room/page/back.js";
import {
  AHEAD, completed, doneWith, lastKnown, nameOf, same, settledBefore, storeSettled, waiting,
} from "/room/page/course.js";
import { element } from "/room/page/elements.js";
import { drawFrame, drawPart, drawProgress, drawSaved } from "/room/page/frame.js";
import { keyboard } from "/room/page/hands.js";
import { address, fetchAhead, forget, playsClips } from "/room/page/media.js";
import { notices } from "/room/page/notices.js";
import { ask, eventId, outbox, recall } from "/room/page/outbox.js";
import { past } from "/room/page/past.js";
import { panel } from "/room/page/panel.js";
import { stage } from "/room/page/stage.js";
import { findParts, narrow, part, room, say, stacked } from "/room/page/state.js";
import { askScreen, offerSkip, openHelp } from "/room/page/windows.js";

const SMALLEST = { width: 340, height: 480 }; // CSS pixels
const LONGEST = 86_400_000; // milliseconds
const PATIENCE = 800; // milliseconds before a page says that it waits

let sheet, scene, news, box, hand, back;
const before = past();

export async function open(root) {
  findParts(root);
  const answer = await ask("/room/setup");
  if (answer.status >= 400) {
    location.assign("/");
    return;
  }
  room.setup = answer.body;
  room.language = room.setup.language;
  for (const name of ["outbox", "drafts", "screen"]) room.names[name] = `pinlu-${name}-${room.setup.box}`;
  room.drafts = recall(room.names.drafts) ?? {};
  room.last = () => doneWith(room.state, box.pending()) === room.state.total;
  room.unplayed = () => !room.explained && playsClips() && scene.plays() === 0;
  news = notices({ saved: part.saved, strip: part.notice }, say);
  hand = answering({ sheet: () => sheet, scene: () => scene, answered: () => news.drop("told") });
  scene = stage(part, { say, stacked, tapped: hand.placeAt, played: () => sheet.hint(false), large: () => large() });
  const full = (yes) => (yes ? news.tell("told", "marks_full") : news.drop("told"));
  sheet = panel(part, room, { say, stacked, ...hand, full, save: saveReceipt });
  box = outbox(room.names.outbox, {
    path: () => `/room/respond?ahead=${AHEAD}&known=${encodeURIComponent(lastKnown(room.state))}`,
    token: () => room.setup.token, renew, told: heard,
  });
  back = goingBack(before, { box, news, recount, present });
  drawFrame(speak);
  listen();
  storeSettled(room.settled, box.pending());
  room.kept = box.pending().length > 0;
  if (room.kept) box.flush();
  else askState();
}

function listen() {
  const { look } = scene;
  const act = {
    undo: back.undo, skip: askSkip, help: openHelp, remark: openRemark, large: () => large(),
    flags: () => part.questions.querySelector(".room-kind")?.focus(),
    leave: () => large(false),
    closer: () => look.zoomBy(1), further: () => look.zoomBy(-1), fit: look.fit,
  };
  for (const name of ["play", "frame_back", "frame_on", "loop", "half"]) act[name] = () => scene.act(name);
  // the second click of a double one is no click
  part.next.addEventListener("click", (event) => { if (event.detail < 2) goOn(); });
  part.back.addEventListener("click", back.undo);
  part.skip.addEventListener("click", askSkip);
  part["help-open"].addEventListener("click", openHelp);
  part.dialog.addEventListener("close", () => { if (room.step) sheet.move(room.active, { scroll: false }); });
  document.addEventListener("keydown", keyboard({ act, hand, sheet, scene, goOn }));
  document.addEventListener("visibilitychange", countLook);
  narrow.addEventListener("change", () => { if (room.state) redraw(); });
  addEventListener("resize", checkWindow);
  addEventListener("beforeunload", (event) => { if (box.ownOnly()) event.preventDefault(); });
  checkWindow();
}

function checkWindow() {
  if (innerWidth < SMALLEST.width || innerHeight < SMALLEST.height) news.tell("small", "small_window");
  else news.drop("small");
}

function countLook() {
  const now = performance.now();
  if (document.hidden) room.looked += now - room.since;
  room.since = now;
}

// ---- what the server says

async function renew() {
  const setup = await ask("/room/setup");
  if (setup.status === 200) room.setup.token = setup.body.token;
  return setup.status === 200;
}

function heard(what, answer) {
  room.heard += 1;
  room.offline = what === "unreachable";
  if (what === "closed") stop();
  else if (what === "unreachable") drawSaved(news, box.pending());
  else if (answer.status >= 400) {
    news.tell("told", "refused");
    askState();
  } else {
    if (answer.body.refused?.length) news.tell("told", "refused");
    else if (room.kept) news.tell("told", "kept");
    room.kept = false;
    room.saved = true;
    // none where the study was closed meanwhile
    if (answer.body.state) arrive(answer.body.state);
    else askState();
  }
}

async function askState() {
  const { heard: before } = room;
  const unreachable = () => news.tell("media", "loading_again");
  const answer = await ask(`/room/state?ahead=${AHEAD}`, { unreachable });
  news.drop("media");
  // what was acknowledged meanwhile may not be in it
  if (before !== room.heard && answer.status < 400) askState();
  else if (answer.status === 401 || answer.status === 403) stop();
  else if (answer.status >= 400) {
    // what was refused by then is said on that page
    news.drop("told");
    news.safe("");
    show("closed");
  } else arrive(answer.body);
}

function arrive(told) {
  // what was acknowledged is done, also where not all of what comes is known
  const { state, whole } = completed(told, room.state);
  room.state = state;
  recount();
  const here = ["break", "draw"].includes(room.view) ? room.resting : room.step;
  const stays = room.visiting || room.explained || (here && same(room.queue[0], here));
  if (!stays) next();
  fetchMedia();
  if (!whole) askState();
}

function recount() {
  const pending = box.pending();
  room.queue = waiting(room.state, pending);
  drawProgress(pending);
  drawSaved(news, pending);
  back.draw();
}

function fetchMedia() {
  const coming = [room.step, ...room.queue].filter(Boolean);
  const stimuli = coming.flatMap((step) => step.stimuli);
  forget([...stimuli, ...before.stimuli()]);
  fetchAhead(stimuli);
}

function stop() {
  room.stopped = true;
  room.busy = true;
  part.next.disabled = true;
  room.offline = true;
  drawSaved(news, box.pending());
  back.draw();
  news.tell("closed", "link_again");
}

// ---- going on

function next() {
  const [step] = room.queue;
  room.visiting = false;
  if (!step && !room.state.assignment && !box.pending().length) show("done");
  else if (!step) waitForMore();
  else if (needsBreak(step)) {
    room.resting = step;
    show("break");
  } else if (step.analyses?.length && room.drawn !== step.assignment) {
    room.resting = step;
    show("draw");
  } else present(step);
}

// What is known is answered: the end, or more of the way, comes with the next acknowledgement.
function waitForMore() {
  const turn = room.turn + 1;
  Object.assign(room, { turn, busy: true, explained: false });
  part.room.classList.add("sending");
  setTimeout(() => { if (room.turn === turn) show("waiting"); }, PATIENCE);
}

function needsBreak(step) {
  if (step.session <= Math.max(1, room.rested)) return false;
  const told = same(step, room.state) && room.state.sessions?.break_due;
  return Boolean(told) || (room.session > 0 && step.session > room.session);
}

// A page without questions: a break, the end, or waiting for what is not there yet.
function show(view) {
  if (room.view === view) return;
  Object.assign(room, { view, step: null, busy: room.stopped, turn: room.turn + 1, placing: null });
  large(false);
  scene.clear();
  part.room.classList.remove("sending");
  news.drop("media");
  redraw();
}

async function present(step) {
  const turn = room.turn + 1;
  Object.assign(room, { turn, step, busy: true, explained: false, placing: null });
  part.room.classList.add("sending");
  const slow = setTimeout(() => news.tell("media", "loading"), 400);
  const patience = {
    unreachable: () => news.tell("media", "loading_again"),
    abandoned: () => room.turn !== turn,
  };
  const addresses = await Promise.all(step.stimuli.map((one) => address(one, patience)));
  clearTimeout(slow);
  if (room.turn !== turn) return;
  news.drop("media");
  part.room.classList.remove("sending");
  room.earlier = settledBefore(step, room.settled);
  room.draft = room.drafts[nameOf(step)] ?? draftOf(step, step.answer);
  Object.assign(room, { view: step.phase, busy: room.stopped, since: performance.now(), looked: 0 });
  if (!room.visiting) {
    room.session = step.session ?? 1;
    before.shows(step);
  }
  const clips = step.stimuli.some(({ kind }) => kind === "clip");
  if (clips && !playsClips()) news.tell("no_clips", "no_clips");
  scene.show(step, addresses);
  room.active = Math.max(0, sheet.questions().findIndex(({ id }) => !(id in room.draft.choices)));
  part.questions.scrollTop = 0;
  redraw();
  window.scrollTo(0, 0);
  if (!part.dialog.open) sheet.move(room.active, { scroll: room.active > 0 });
  if (!recall(room.names.screen)) askScreen();
}

function goOn() {
  if (room.busy) return;
  if (room.view === "break") {
    room.rested = room.resting.session;
    room.drawn = room.resting.assignment;
    present(room.resting);
  } else if (room.view === "draw") {
    room.drawn = room.resting.assignment;
    present(room.resting);
  } else if (room.explained) {
    room.explained = false;
    next();
  } else if (room.step) {
    const [missing] = sheet.leftOver();
    if (missing) sheet.move(sheet.questions().findIndex(({ id }) => id === missing.id));
    if (missing || room.unplayed()) sheet.hint(true);
    else answer();
  }
}

function answer() {
  const { step, draft, setup, visiting } = room;
  const payload = payloadOf(setup, step, draft);
  const stored = visiting && !("skip" in step.answer) && payloadOf(setup, step, draftOf(step, step.answer));
  if (stored && JSON.stringify(payload) === JSON.stringify(stored)) {
    forgetDraft();
    next();
  } else submit(payload);
}

function submit(payload) {
  const { step } = room;
  const looked = room.looked + (document.hidden ? 0 : performance.now() - room.since);
  const plays = scene.plays();
  const event = {
    assignment: step.assignment,
    event_id: eventId(),
    phase: step.phase,
    payload,
    language: room.language,
    client_time: new Date().toISOString(),
    shown: {
      milliseconds: Math.min(Math.round(looked), LONGEST),
      width: innerWidth,
      height: innerHeight,
      ...(plays === null ? {} : { plays }),
    },
  };
  forgetDraft();
  storeSettled(room.settled, [event]);
  before.answers(step, payload);
  news.drop("told");
  box.add(event);
  recount();
  if (step.training && step.explanation && !("skip" in payload)) {
    Object.assign(room, { explained: true, placing: null });
    redraw();
    part.questions.scrollTop = 0;
    part.head.querySelector(".room-explanation")?.focus();
  } else next();
}

function forgetDraft() {
  delete room.drafts[nameOf(room.step)];
  keepDrafts();
}

function askSkip() {
  if (room.step && !room.busy && !room.explained) offerSkip(submit);
}

// ---- drawing

function redraw() {
  const { view, step } = room;
  part.room.dataset.view = step?.analyses?.length ? "reading" : view === "draw" ? "break" : view;
  part.room.classList.toggle("explained", room.explained);
  drawPart();
  back.draw();
  part.skip.hidden = !step || room.explained;
  if (step) {
    sheet.draw();
    hand.drawFlags();
    if (room.visiting) part.hint.textContent = say("visiting");
  } else sheet.drawView(view);
}

// The picture alone on the whole window, and back.
function large(wanted = !part.room.dataset.large) {
  if (wanted && room.step) part.room.dataset.large = "yes";
  else delete part.room.dataset.large;
}

function openRemark() {
  const remark = part.questions.querySelector(".room-remark");
  if (!remark) return;
  remark.open = true;
  remark.querySelector("textarea").focus();
}

function speak(language, byPointer) {
  if (language === room.language) return;
  room.language = language;
  drawFrame(speak);
  news.refresh();
  if (room.state) {
    recount();
    redraw();
    if (room.step) scene.tools();
  }
  // a pointer goes back to the picture's questions, a keyboard stays where it pressed
  if (byPointer && room.step) sheet.move(room.active);
  else part.languages.querySelector("[aria-pressed='true']").focus();
  ask("/room/language", { body: { language }, token: room.setup.token, tries: 1 });
}

function saveReceipt() {
  const lines = [document.title, say("receipt_line", room.state), new Date().toISOString(), say("receipt_hint")];
  const file = new Blob([`${lines.join("\n")}\n`], { type: "text/plain" });
  const link = element("a", { href: URL.createObjectURL(file), download: `${room.state.receipt}.txt` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
