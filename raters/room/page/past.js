// What was answered on this page, so that the rater can go back to it without asking the server:
// while it is out of reach, or while answers are still on their way.

const KEPT = 8; // answered steps whose pictures stay at hand

export function past() {
  const answered = new Map(); // assignment → {step, payload, shown}, in the order of first answers
  let shown = 0; // how many steps were shown
  let text = -1; // the last of them that showed a scene's text

  function shows(step) {
    shown += 1;
    if (step.caption) text = shown;
  }

  function answers(step, payload) {
    const before = answered.get(step.assignment);
    answered.set(step.assignment, { step, payload, shown: before?.step.phase === step.phase ? before.shown : shown });
  }

  // The assignments that may still be changed. The server knows which look is closed by its scene's
  // text; here every look is that a text was shown after.
  function open(session, queue) {
    const begun = new Set(queue.map(({ assignment }) => assignment));
    return [...answered].filter(([assignment, one]) =>
      one.step.session === session && !one.step.training && !begun.has(assignment) &&
      (one.step.phase !== "attribution" || text <= one.shown),
    ).map(([assignment]) => assignment);
  }

  return {
    shows,
    answers,
    open,
    again: (assignment) => {
      const { step, payload } = answered.get(assignment);
      return { ...step, answer: payload };
    },
    stimuli: () => [...answered.values()].slice(-KEPT).flatMap(({ step }) => step.stimuli),
  };
}
