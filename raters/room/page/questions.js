// Questions as radio groups: drawing them and marking what is chosen.
// A question is {id, kind, head, hint, options: [{value, label, anchor?, spoken?, apart?}],
// example?: [name, text], field?: {label, value, longest, write}}; an option apart is no mark on
// the scale, a field is a line of free text below the options.

import { element, stressed } from "/room/page/elements.js";
import { OPTION_KEYS } from "/room/page/keys.js";

export function drawQuestion(question, number, { chosen, pick, fixed }) {
  const head = `room-q-${question.id}`;
  const options = question.options.map((option, index) => {
    const key = OPTION_KEYS[index];
    return element(
      "button",
      {
        type: "button",
        role: "radio",
        class: option.apart ? "room-option apart" : "room-option",
        "data-value": option.value,
        "aria-checked": "false",
        "aria-disabled": fixed ? "true" : null,
        "aria-label": option.spoken ?? null,
        "aria-keyshortcuts": key ?? null,
        // a mark that is its own key says so already
        "data-key": key === String(option.label) ? null : key,
        onclick: () => pick(number, option.value),
      },
      element("span", {}, String(option.label)),
    );
  });
  const group = element(
    "section",
    {
      class: `room-question ${question.kind}`,
      "data-question": question.id,
      role: "group",
      "aria-labelledby": head,
      tabindex: "-1",
    },
    element("h2", { id: head }, ...stressed(question.head)),
    question.hint ? element("p", { class: "room-why", id: `${head}-why` }, question.hint) : null,
    element(
      "div",
      {
        class: "room-options",
        role: "radiogroup",
        "aria-labelledby": head,
        "aria-describedby": question.hint ? `${head}-why` : null,
      },
      ...options,
    ),
    anchors(question),
    question.field ? field(question) : null,
    question.example ? example(question.example) : null,
  );
  markChosen(group, chosen);
  return group;
}

function anchors({ options }) {
  const anchored = options.filter(({ anchor }) => anchor);
  if (!anchored.length) return null;
  const lines = anchored.map(({ label, anchor }) =>
    element("li", {}, element("b", {}, String(label)), ` ${anchor}`),
  );
  return element("ol", { class: "room-anchors" }, ...lines);
}

function field({ id, field: { label, value, longest, write } }) {
  const input = element("input", {
    id: `room-field-${id}`, type: "text", maxlength: longest, autocomplete: "off",
    oninput: (event) => write(event.target.value),
  });
  input.value = value;
  return element("p", { class: "room-field" }, element("label", { for: input.id }, label), input);
}

function example([name, text]) {
  return element(
    "details", { class: "room-example" }, element("summary", {}, name), element("p", {}, text),
  );
}

export function markChosen(group, value) {
  const options = [...group.querySelectorAll("[role=radio]")];
  const chosen = options.find((option) => option.dataset.value === String(value));
  for (const option of options) {
    option.setAttribute("aria-checked", String(option === chosen));
    option.tabIndex = option === (chosen ?? options[0]) ? 0 : -1;
  }
  group.classList.toggle("answered", Boolean(chosen));
}

// Focus goes to the chosen option; before there is one, to the question as a whole, so that no
// answer stands out from the others.
export function focusQuestion(group, { scroll = true } = {}) {
  const chosen = group.querySelector("[aria-checked='true']");
  (chosen ?? group).focus({ preventScroll: true });
  if (scroll) group.scrollIntoView({ block: "nearest" });
}
