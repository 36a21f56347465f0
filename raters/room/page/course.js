// Where the rater is: what the server says, and what has been answered since and is on its way.

export const AHEAD = 20; // steps that are known ahead, with their pictures: what can be done offline

export function same(one, other) {
  return Boolean(one && other) && one.assignment === other.assignment && one.phase === other.phase;
}

export function nameOf(step) {
  return `${step.assignment}/${step.phase}`;
}

// The last step that the page was told, for the server: what comes up to it need only be named.
export function lastKnown(state) {
  const last = state?.ahead.at(-1) ?? state;
  return last?.assignment ? nameOf(last) : "";
}

// What the server says, with the steps that it only names taken from what it said before: up to the
// first that is not there, and then not `whole`.
export function completed(told, before) {
  const known = new Map((before ? [before, ...before.ahead] : []).map((step) => [nameOf(step), step]));
  const ahead = [...told.known.map((name) => known.get(name)), ...told.ahead];
  const whole = ahead.every(Boolean);
  return { whole, state: { ...told, ahead: whole ? ahead : ahead.slice(0, ahead.findIndex((step) => !step)) } };
}

// The steps still to be answered, in order. `state` is the server's; where it is that of an earlier
// step that was asked for (`at`), what waits is in `ahead` alone.
export function waiting(state, pending) {
  const here = state.assignment && !state.at ? [state] : [];
  const last = new Map(pending.map((event) => [event.assignment, event]));
  const settles = (step, event) =>
    event.assignment === step.assignment &&
    (event.phase === step.phase || ("skip" in event.payload && event === last.get(event.assignment)));
  return [...here, ...state.ahead].filter(
    (step) => !pending.some((event) => settles(step, event)),
  );
}

// How many assignments are done, with those that are on their way.
export function doneWith(state, pending) {
  const known = new Set([state, ...state.ahead].map((step) => step.assignment));
  const left = new Set(waiting(state, pending).map((step) => step.assignment));
  const sent = new Set(pending.map((event) => event.assignment));
  const more = [...sent].filter((one) => known.has(one) && !left.has(one) && one);
  return state.done + (state.at ? 0 : more.length);
}

// What was settled in phase one: the server's word, or the answer on its way.
export function settledBefore(step, settled) {
  return step.phase === "scales" ? (step.earlier ?? settled.get(step.assignment) ?? null) : null;
}

export function storeSettled(settled, events) {
  for (const { assignment, phase, payload } of events) {
    if (phase === "attribution" && !("skip" in payload)) settled.set(assignment, payload);
  }
}
