// What is asked at a step: questions made of what the server says, and the answers as it takes
// them. A draft is {choices: {question: value}, flags: [], remark, generator}.

import { readingDraft, readingPayload, readingQuestions } from "/room/page/analyses.js";
import { OPTION_KEYS } from "/room/page/keys.js";

export const emptyDraft = () => ({ choices: {}, flags: [], remark: "", generator: "" });

const YES_NO = ["yes", "no"];

// The questions of a step, as `drawQuestion` takes them; some hang on what was chosen before.
export function asked(setup, step, draft, { language, say, stacked, write }) {
  const answers = setup.texts[language].answers;
  const named = (ids, names) => ids.map((value) => ({ value, label: names[value] }));
  const plain = (id, options, more = {}) => ({
    id, kind: "plain", head: say(id), hint: more.hint ?? "", options, ...more,
  });
  const yesNo = () => YES_NO.map((value) => ({ value, label: say(value) }));
  const { choices } = draft;

  if (step.phase === "attribution") {
    return attribution(setup, choices, { language, say, plain, named, answers, yesNo });
  }
  if (step.phase === "scales") {
    return setup.scales
      .filter(({ id }) => step.scales.includes(id))
      .map((scale) => ({
        id: scale.id,
        kind: "scale",
        head: scale.label[language],
        hint: scale.question[language],
        options: scaleOptions(scale, language, setup.not_applicable, say),
        example: scale.example?.[language] && [say("example"), scale.example[language]],
      }));
  }
  if (step.phase === "detection") {
    const made = [plain("human", named(setup.humans, answers.humans), { hint: say("human_hint") })];
    if (choices.human === "model") {
      const named_it = choices.generator_recognised === "yes";
      const field = {
        label: say("generator_name"), value: draft.generator, longest: 80,
        write: (text) => write("generator", text),
      };
      made.push(plain("generator_recognised", yesNo(), named_it ? { field } : {}));
    }
    return made;
  }
  if (step.analyses?.length) {
    const marks = (scale) => scaleOptions(scale, language, setup.not_applicable, say);
    return readingQuestions(setup, { language, say, stacked, scaleOptions: marks });
  }
  const above = stacked ? { left: "upper", right: "lower" } : {};
  const options = setup.winners.map((id) => ({ value: id, label: say(above[id] ?? id) }));
  return [{ id: "winner", kind: "duel", head: say("pair"), hint: "", options }];
}

function attribution(setup, choices, { language, say, plain, named, answers, yesNo }) {
  const labels = setup.labels.map(({ id, name }) => ({ value: id, label: name[language] }));
  const made = ["manner", "things"].map((id) => ({
    id, kind: "labels", head: say(id), hint: say(`${id}_hint`), options: labels,
  }));
  if (setup.ask.traces) {
    const none = { value: "none", label: say("no_trace") };
    const others = labels.filter(({ value }) => value !== choices.manner);
    made.push({
      id: "trace", kind: "labels", head: say("trace"), hint: say("trace_hint"),
      options: [none, ...others],
    });
    if (choices.trace && choices.trace !== "none") {
      const strengths = setup.strengths.filter((one) => one !== "none");
      made.push(plain("trace_strength", named(strengths, answers.strengths)));
    }
  }
  if (setup.ask.recognised) made.push(plain("recognised", yesNo(), { hint: say("recognised_hint") }));
  return made;
}

function scaleOptions(scale, language, notApplicable, say) {
  const marks = Array.from({ length: scale.high - scale.low + 1 }, (_, index) => {
    const value = scale.low + index;
    const anchor = scale.anchors[value]?.[language];
    return { value, label: value, anchor, spoken: anchor ? `${value}: ${anchor}` : null };
  });
  const none = { value: notApplicable, label: say("not_applicable"), apart: true };
  return notApplicable ? [...marks, none] : marks;
}

// Choices that are no longer asked, or no longer offered, are taken back. Returns whether any was.
export function prune(draft, questions) {
  const offered = new Map(questions.map(({ id, options }) => [id, options.map(({ value }) => value)]));
  const stale = Object.keys(draft.choices).filter(
    (id) => !offered.get(id)?.includes(draft.choices[id]),
  );
  for (const id of stale) delete draft.choices[id];
  return stale.length > 0;
}

// What the server is told.
export function payloadOf(setup, step, draft) {
  const { choices } = draft;
  const remark = setup.ask.remark && draft.remark.trim() ? { remark: draft.remark.trim() } : {};
  if (step.analyses?.length) return { ...readingPayload(choices, draft.flags), ...remark };
  if (step.phase === "scales") {
    const flags = setup.ask.flags ? { flags: draft.flags } : {};
    return { scales: { ...choices }, ...flags, ...remark };
  }
  if (step.phase === "detection") {
    const recognised = choices.generator_recognised === "yes";
    const generator = recognised && draft.generator.trim() ? { generator: draft.generator.trim() } : {};
    return { human: choices.human, generator_recognised: recognised, ...generator, ...remark };
  }
  const { recognised, ...rest } = choices;
  if (step.phase === "attribution" && setup.ask.traces && choices.trace === "none") {
    rest.trace_strength = "none";
  }
  if (recognised) rest.recognised = recognised === "yes";
  return { ...rest, ...remark };
}

// The draft that a stored answer came from.
export function draftOf(step, payload) {
  const draft = emptyDraft();
  if (!payload) return draft;
  if (step.analyses?.length && payload.marks) {
    return { ...draft, ...readingDraft(payload), remark: payload.remark ?? "" };
  }
  const { remark = "", flags = [], scales, generator = "", skip, ...rest } = payload;
  const choices = scales ? { ...scales } : rest;
  for (const id of ["recognised", "generator_recognised"]) {
    if (id in choices) choices[id] = choices[id] ? "yes" : "no";
  }
  if (choices.trace_strength === "none") delete choices.trace_strength;
  if (choices.human && choices.human !== "model") delete choices.generator_recognised;
  return { choices, flags: [...flags], remark, generator };
}

// The keys of the question that has most options, as the help names them: "1 – 8" or "1 – 9, A – C".
export function keysOfOptions(setup) {
  const marks = setup.scales.map(({ low, high }) => high - low + 1 + (setup.not_applicable ? 1 : 0));
  const most = Math.max(setup.labels.length + (setup.ask.traces ? 1 : 0), ...marks);
  const letters = OPTION_KEYS.slice(9, most);
  const further = letters.length > 1 ? `, A – ${letters.at(-1)}` : letters && ", A";
  return `1 – ${Math.min(most, 9)}${further}`;
}
