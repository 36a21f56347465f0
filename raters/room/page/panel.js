// The panel: what stands above the questions and stays in sight, the questions, and what follows.

import { drawAnalyses, drawOffer } from "/room/page/analyses.js";
import { asked } from "/room/page/asked.js";
import { flagPanel } from "/room/page/flags.js";
import { withMark, pressed } from "/room/page/marking.js";
import { drawQuestion, focusQuestion, markChosen } from "/room/page/questions.js";
import {
  ending, explanation, instruction, pauseOffer, remarkField, sceneText, settled, stepLine,
  waitingText,
} from "/room/page/views.js";

export function panel(part, room, { say, stacked, pick, write, begin, remove, full, save }) {
  const groups = () => part.questions.querySelectorAll(".room-question");

  function questions() {
    return asked(room.setup, room.step, room.draft, {
      language: room.language, say, stacked: stacked(), write,
    });
  }

  const leftOver = () => questions().filter(({ id }) => !(id in room.draft.choices));

  function drawHead() {
    const { step, language } = room;
    const told = { language, say };
    const head = [];
    if (room.explained) head.push(explanation(step.explanation, room.setup, told));
    else if (step.training) head.push(stepLine(say("practice")));
    else if (step.phase === "attribution") head.push(stepLine(say("first"), "room-first"));
    else if (step.phase === "detection") head.push(stepLine(say("detection")));
    if (room.earlier) head.push(settled(room.earlier, room.setup.labels, told));
    if (step.caption) {
      const { tag } = room.setup.texts[language];
      head.push(sceneText(step.caption[language], tag, { say, several: step.stimuli.length > 1 }));
    }
    if (step.instruction) head.push(instruction(step.instruction[language], say));
    part.head.replaceChildren(...head);
  }

  function drawFlags() {
    const old = part.questions.querySelector(".room-flags");
    const { step, draft, setup, language } = room;
    if (step.phase !== "scales" || !setup.ask.flags || room.explained) {
      old?.remove();
      return;
    }
    const names = setup.texts[language].answers.flags;
    const made = flagPanel(setup, { names, flags: draft.flags, placing: room.placing, say, begin, remove });
    if (old) old.replaceWith(made);
    else part.questions.append(made);
  }

  // the texts of two analyses, where there are any, and marks on their passages
  function reading() {
    const { step, draft, setup, language } = room;
    if (!step.analyses?.length) return [];
    const most = setup.marks_most;
    const become = (marks, { side, section, start }, refused) => {
      write("flags", marks);
      full(refused);
      getSelection().removeAllRanges();
      draw();
      // where the passage begins, so that a screen reader says what it is now
      const texts = [...part.questions.querySelectorAll(`p[data-side="${side}"][data-section="${section}"] .room-passage`)];
      const here = texts.findLast((one) => Number(one.dataset.at.split("-").at(-1)) <= start);
      here?.focus({ preventScroll: true });
    };
    const press = (at) => {
      const marks = pressed(draft.flags, at, setup.marks, most);
      become(marks, at, marks === draft.flags);
    };
    const mark = (places, kind) => {
      let refused = false;
      const marks = places.reduce((before, place) => {
        const after = withMark(before, place, kind, most);
        refused ||= after === before;
        return after;
      }, draft.flags);
      become(marks, places[0], refused);
    };
    const shown = { marks: draft.flags, setup, language, say, stacked: stacked(), press, mark, fixed: room.busy };
    return [drawAnalyses(step, shown)];
  }

  function draw() {
    drawHead();
    const made = questions().map((question, number) =>
      drawQuestion(question, number, {
        chosen: room.draft.choices[question.id], pick, fixed: room.explained,
      }),
    );
    const top = part.questions.scrollTop;
    part.questions.replaceChildren(...reading(), ...made);
    drawFlags();
    if (room.setup.ask.remark && !room.explained) {
      const longest = room.setup.remark_longest;
      part.questions.append(remarkField(room.draft.remark, { say, longest, write, opened: false }));
    }
    part.questions.scrollTop = top;
    markActive();
    hint(false);
  }

  function drawView(view) {
    const { receipt } = room.state ?? {};
    const debriefing = view === "done" ? room.setup.debriefing?.[room.language] : "";
    const made = {
      break: () => pauseOffer({ number: room.resting.session, of: room.state.sessions.of }, { say }),
      waiting: () => waitingText(say, { last: room.last() }),
      draw: () => drawOffer({ say }),
    }[view] ?? (() => ending(view, { receipt, debriefing, say, save }));
    part.head.replaceChildren();
    part.questions.replaceChildren(...made());
    part.hint.textContent = "";
    part.next.textContent = say(view === "draw" ? "draw_go" : "go_on");
    part.next.classList.add("ready");
    part.next.removeAttribute("aria-disabled");
    part.questions.scrollTop = 0;
    part.questions.querySelector("h1")?.focus();
  }

  function hint(loud) {
    const count = leftOver().length;
    const unplayed = room.unplayed();
    // the first look cannot be taken back once the text was shown: the button says so beforehand
    const { assignment } = room.step;
    const settles = room.step.phase === "attribution"
      && room.queue.some((one) => one.assignment === assignment && one.phase === "scales");
    part.next.textContent = say(room.explained ? "next" : settles ? "settle" : "next");
    part.next.classList.toggle("ready", count === 0 && !unplayed);
    part.next.setAttribute("aria-disabled", String(count > 0 || unplayed));
    const why = count ? say(count === 1 ? "left_over_one" : "left_over", { count }) : unplayed ? say("play_first") : "";
    part.hint.textContent = loud || (unplayed && !count) ? why : "";
  }

  function markActive() {
    groups().forEach((group, index) => {
      group.classList.toggle("active", index === room.active && !room.explained);
    });
  }

  function move(to, { scroll = true } = {}) {
    const all = groups();
    if (!all.length) return;
    room.active = Math.min(Math.max(to, 0), all.length - 1);
    markActive();
    focusQuestion(all[room.active], { scroll });
  }

  return {
    questions, leftOver, draw, drawFlags, drawView, hint, markActive, move,
    mark: (number, value) => markChosen(groups()[number], value),
    see: (number) => groups()[number]?.scrollIntoView({ block: "nearest" }),
    groups,
  };
}
