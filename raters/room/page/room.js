// The rating room. The server says where the rater is; this page shows it, takes the answers and
// does not go on before the server has them.

import { ask, deliver, eventId, keep, recall } from "/room/page/outbox.js";
import { fetchAhead, forget, picture } from "/room/page/pictures.js";
import {
  drawQuestion,
  element,
  focusQuestion,
  markChosen,
  meaning,
} from "/room/page/questions.js";
import { asked, ending, figures, help, mostOptions, sceneText, settled, step } from "/room/page/views.js";

// where the style sheet puts two pictures one above the other
const stacked = matchMedia("(max-width: 860px)");

const room = { setup: null, state: null, language: "en", answers: {}, active: 0, busy: false };
let part = {};

export async function open(root) {
  const find = (name) => root.querySelector(name);
  part = {
    room: find("#room"),
    line: find(".room-line"),
    count: find(".room-count"),
    saved: find(".room-saved"),
    languages: find(".room-languages"),
    helpOpen: find(".room-help-open"),
    help: find(".room-help"),
    stage: find(".room-stage"),
    questions: find(".room-questions"),
    hint: find(".room-hint"),
    next: find(".room-next"),
  };
  const answer = await ask("/room/setup");
  if (answer.status >= 400) {
    location.assign("/");
    return;
  }
  room.setup = answer.body;
  room.language = room.setup.language;
  room.box = `pinlu-outbox-${room.setup.box}`;
  room.draft = `pinlu-draft-${room.setup.box}`;
  part.next.addEventListener("click", goOn);
  part.helpOpen.addEventListener("click", toggleHelp);
  document.addEventListener("keydown", onKey);
  stacked.addEventListener("change", () => { if (room.state) draw(); });
  drawFrame();
  const waiting = recall(room.box);
  if (waiting) await send(waiting, "kept");
  else arrive(await ask("/room/state", { unreachable: unreachable("loading") }), "");
}

const texts = () => room.setup.texts[room.language].room;

function say(key, values = {}) {
  return texts()[key].replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

function tell(key, kind = "") {
  room.told = key;
  part.saved.textContent = key ? say(key) : "";
  part.saved.dataset.kind = kind;
}

function unreachable(key) {
  return () => tell(key === "loading" ? "loading_again" : "unsaved", "warning");
}

// ---- the frame: progress, languages, help

function drawFrame() {
  document.documentElement.lang = room.setup.texts[room.language].tag;
  document.title = say("title");
  part.line.setAttribute("aria-label", say("progress"));
  part.helpOpen.setAttribute("aria-label", say("help"));
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
  part.help.replaceChildren(
    ...help(texts().keys, { digits: mostOptions(room.setup), say, close: toggleHelp }),
  );
  part.next.textContent = say("next");
  if (room.told) part.saved.textContent = say(room.told);
}

function speak(language, byPointer) {
  if (language === room.language) return;
  room.language = language;
  drawFrame();
  if (room.state) draw();
  // a pointer goes back to the picture's questions, a keyboard stays where it pressed
  if (byPointer && room.state?.assignment) move(room.active);
  else part.languages.querySelector("[aria-pressed='true']").focus();
  ask("/room/language", { body: { language }, token: room.setup.token, tries: 1 });
}

function toggleHelp() {
  if (part.help.open) part.help.close();
  else part.help.showModal();
}

// ---- where the rater is

async function arrive(answer, told) {
  if (answer.status === 401 || answer.status === 403) {
    stop("link_again");
    return;
  }
  if (answer.status >= 400) {
    room.state = { view: "closed", done: 0, total: 0 };
    draw();
    return;
  }
  const state = answer.body;
  if (state.assignment) {
    const ids = state.stimuli.map((one) => one.id);
    fetchAhead(ids);
    const slow = setTimeout(() => tell("loading"), 400);
    state.addresses = await Promise.all(ids.map((id) => picture(id, unreachable("loading"))));
    clearTimeout(slow);
    forget([...ids, ...state.upcoming]);
    fetchAhead(state.upcoming);
  }
  room.state = state;
  const draft = recall(room.draft);
  const same = draft && draft.assignment === state.assignment && draft.phase === state.phase;
  room.answers = same ? draft.answers : {};
  room.busy = false;
  tell(told, told === "refused" ? "warning" : "");
  draw();
  const groups = part.questions.querySelectorAll(".room-question");
  if (groups.length) {
    room.active = Math.max(0, questions().findIndex(({ id }) => !(id in room.answers)));
    markActive();
    part.questions.scrollTop = 0;
    window.scrollTo(0, 0);
    focusQuestion(groups[room.active], { scroll: room.active > 0 });
  }
}

function stop(key) {
  room.busy = true;
  part.next.disabled = true;
  tell(key, "warning");
}

// ---- answering

function questions() {
  return asked(room.setup, room.state, { language: room.language, say, stacked: stacked.matches });
}

function pick(number, value) {
  if (room.busy) return;
  const all = questions();
  room.answers[all[number].id] = value;
  const { assignment, phase } = room.state;
  keep(room.draft, { assignment, phase, answers: room.answers });
  const groups = part.questions.querySelectorAll(".room-question");
  markChosen(groups[number], value);
  const further = all.findIndex(({ id }, index) => index > number && !(id in room.answers));
  room.active = further >= 0 ? further : number;
  markActive();
  groups[room.active].scrollIntoView({ block: "nearest" });
  hintLeftOver(false);
  if (room.told !== "unsaved") tell("");
}

function leftOver() {
  return questions().filter(({ id }) => !(id in room.answers));
}

function hintLeftOver(loud) {
  const count = leftOver().length;
  // the first look cannot be taken back: the button says so before it is pressed
  part.next.textContent = say(room.state.phase === "attribution" ? "settle" : "next");
  part.next.classList.toggle("ready", count === 0);
  part.next.setAttribute("aria-disabled", String(count > 0));
  part.hint.textContent = loud && count ? say("left_over", { count }) : "";
}

function move(to) {
  const groups = part.questions.querySelectorAll(".room-question");
  room.active = Math.min(Math.max(to, 0), groups.length - 1);
  markActive();
  focusQuestion(groups[room.active]);
}

function markActive() {
  part.questions.querySelectorAll(".room-question").forEach((group, index) => {
    group.classList.toggle("active", index === room.active);
  });
}

async function goOn() {
  if (room.busy || !room.state?.assignment) return;
  const missing = leftOver();
  if (missing.length) {
    hintLeftOver(true);
    move(questions().findIndex(({ id }) => id === missing[0].id));
    return;
  }
  const { assignment, phase } = room.state;
  await send(
    {
      assignment,
      phase,
      event_id: eventId(),
      payload: { ...room.answers },
      language: room.language,
      client_time: new Date().toISOString(),
    },
    "saved",
  );
}

async function send(event, told) {
  room.busy = true;
  part.room.classList.add("sending");
  tell("saving");
  const how = { box: room.box, unreachable: unreachable("saving") };
  let answer = await deliver(event, { ...how, token: room.setup.token });
  if (answer.status === 403) {
    // the link was opened again elsewhere in this browser: take the new session's token
    const setup = await ask("/room/setup", { unreachable: unreachable("saving") });
    if (setup.status === 200) {
      room.setup.token = setup.body.token;
      answer = await deliver(event, { ...how, token: room.setup.token });
    }
  }
  part.room.classList.remove("sending");
  if (answer.status === 401 || answer.status === 403) {
    stop("link_again");
    return;
  }
  keep(room.draft, null);
  if (answer.status < 400) await arrive({ status: 200, body: answer.body.state }, told);
  else await arrive(await ask("/room/state", { unreachable: unreachable("loading") }), "refused");
}

function onKey(event) {
  const key = meaning(event);
  if (!key) return;
  if (part.help.open) {
    if (key.help) { event.preventDefault(); toggleHelp(); }
    return;
  }
  if (key.help) { event.preventDefault(); toggleHelp(); return; }
  const elsewhere = event.target.closest?.(".room-bar, summary");
  if (elsewhere && key.pick === undefined && !key.move) return;
  if (!room.state?.assignment || room.busy) return;
  event.preventDefault();
  const { id, options } = questions()[room.active];
  if (key.pick !== undefined && key.pick < options.length) {
    pick(room.active, options[key.pick].value);
    move(room.active);
  } else if (key.move) {
    move(room.active + key.move);
  } else if (key.step) {
    const at = options.findIndex(({ value }) => value === room.answers[id]);
    const to = at < 0 ? (key.step > 0 ? 0 : options.length - 1) : at + key.step;
    if (options[to]) {
      const here = room.active;
      pick(here, options[to].value);
      move(here);
    }
  } else if (key.onward) {
    goOn();
  }
}

// ---- drawing

function draw() {
  const { state, language } = room;
  const view = state.view ?? (state.assignment ? state.phase : "done");
  part.room.dataset.view = view;
  const share = state.total ? state.done / state.total : 0;
  part.line.firstElementChild.style.transform = `scaleX(${share})`;
  part.line.setAttribute("aria-valuemax", state.total);
  part.line.setAttribute("aria-valuenow", state.done);
  part.count.textContent = state.total ? say("count", state) : "";
  if (!state.assignment) {
    part.stage.replaceChildren();
    part.questions.replaceChildren(...ending(view, state.receipt, say));
    return;
  }
  part.stage.replaceChildren(...figures(state, { say, stacked: stacked.matches }));
  const parts = [];
  if (view === "attribution") parts.push(step(say("first")));
  if (state.earlier) parts.push(settled(state.earlier, room.setup.labels, { language, say }));
  if (state.caption) {
    parts.push(sceneText(state.caption[language], room.setup.texts[language].tag, say));
  }
  if (view === "scales") parts.push(step(say("scales")));
  const groups = questions().map((question, number) =>
    drawQuestion(question, number, { chosen: room.answers[question.id], pick }),
  );
  part.questions.replaceChildren(...parts, ...groups);
  markActive();
  hintLeftOver(false);
}
