// Pictures and clips, fetched ahead. They may not be cached by the browser (`no-store`), so that
// nothing of a study stays on a shared computer; they live in the page and go with it.

const WAIT = 2000;
const AT_ONCE = 3;
const held = new Map();
let running = 0;
const queue = [];

async function fetched({ id, kind }) {
  const answer = await fetch(`/media/${id}`, { credentials: "same-origin" });
  if (!answer.ok) throw new Error(String(answer.status));
  const address = URL.createObjectURL(await answer.blob());
  if (kind !== "clip") {
    const image = new Image();
    image.src = address;
    await image.decode();
  }
  return address;
}

function work() {
  while (running < AT_ONCE && queue.length) {
    const { stimulus, done, failed } = queue.shift();
    running += 1;
    fetched(stimulus).then(done, failed).finally(() => {
      running -= 1;
      work();
    });
  }
}

function wanted(stimulus, first) {
  if (held.has(stimulus.id)) {
    const at = first ? queue.findIndex((one) => one.stimulus.id === stimulus.id) : -1;
    if (at > 0) queue.unshift(...queue.splice(at, 1));
    return;
  }
  const coming = new Promise((done, failed) => {
    queue[first ? "unshift" : "push"]({ stimulus, done, failed });
  });
  held.set(stimulus.id, coming);
  coming.catch(() => held.delete(stimulus.id));
  work();
}

// Fetch in this order, a few at a time.
export function fetchAhead(stimuli) {
  for (const stimulus of stimuli) wanted(stimulus, false);
}

// The address of a picture that is there and decoded, or of a clip; asks again until it is, or
// until `abandoned()`.
export async function address(stimulus, { unreachable, abandoned }) {
  while (!abandoned()) {
    wanted(stimulus, true);
    try {
      return await held.get(stimulus.id);
    } catch {
      unreachable();
      await new Promise((done) => setTimeout(done, WAIT));
    }
  }
  return "";
}

export function forget(except) {
  const stay = new Set(except.map(({ id }) => id));
  queue.splice(0, queue.length, ...queue.filter(({ stimulus }) => stay.has(stimulus.id)));
  for (const [id, coming] of held) {
    if (!stay.has(id)) {
      held.delete(id);
      coming.then((one) => URL.revokeObjectURL(one), () => {});
    }
  }
}

export function playsClips() {
  return document.createElement("video").canPlayType('video/mp4; codecs="avc1.42E01E"') !== "";
}
