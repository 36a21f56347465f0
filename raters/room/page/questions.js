// Questions as radio groups: drawing them, and moving and picking by keyboard and touch.
// A question is {id, kind, head, hint, options: [{value, label, anchor?, spoken?, apart?}],
// example?: [name, text]}; an option apart is no mark on the scale.

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") made.className = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// Text with **stressed** words.
export function stressed(text) {
  return text.split("**").map((part, index) => (index % 2 ? element("em", {}, part) : part));
}

export function drawQuestion(question, number, { chosen, pick }) {
  const head = `room-q-${question.id}`;
  const options = question.options.map((option) =>
    element(
      "button",
      {
        type: "button",
        role: "radio",
        class: option.apart ? "room-option apart" : "room-option",
        "data-value": option.value,
        "aria-checked": "false",
        "aria-label": option.spoken ?? null,
        onclick: () => pick(number, option.value),
      },
      element("span", {}, String(option.label)),
    ),
  );
  const anchors = question.options.filter((option) => option.anchor);
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
    question.hint ? element("p", { class: "room-why", id: `${head}-why` }, question.hint) : "",
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
  );
  if (anchors.length) {
    group.append(
      element(
        "ol",
        { class: "room-anchors" },
        ...anchors.map((option) =>
          element("li", {}, element("b", {}, String(option.label)), ` ${option.anchor}`),
        ),
      ),
    );
  }
  if (question.example) {
    const [name, text] = question.example;
    group.append(
      element("details", { class: "room-example" }, element("summary", {}, name), element("p", {}, text)),
    );
  }
  markChosen(group, chosen);
  return group;
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

// What a key means: {pick: n} the n-th option, {move: ±1} another question, {step: ±1} another
// option, {onward}, {help}; null where the key is not ours.
export function meaning(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return null;
  if (/^[1-9]$/.test(event.key)) return event.repeat ? {} : { pick: Number(event.key) - 1 };
  const keys = {
    ArrowUp: { move: -1 },
    ArrowDown: { move: 1 },
    ArrowLeft: { step: -1 },
    ArrowRight: { step: 1 },
    Enter: event.repeat ? {} : { onward: true },
    "?": { help: true },
    "？": { help: true },
  };
  return keys[event.key] ?? null;
}
