// What the rater has answered and the server has not acknowledged yet. It outlives a reload: an
// event is kept in the browser's storage from before it is first sent until it is acknowledged.

const WAITS = [1000, 2000, 4000, 8000, 15000];
const PATIENCE = 15000;

export function keep(name, value) {
  try {
    if (value === null) localStorage.removeItem(name);
    else localStorage.setItem(name, JSON.stringify(value));
  } catch {
    // storage is full or forbidden: the page itself still holds the value
  }
}

export function recall(name) {
  try {
    return JSON.parse(localStorage.getItem(name));
  } catch {
    return null;
  }
}

export function eventId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  // outside a secure context (plain http on a local network) there is no randomUUID
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

function pause(milliseconds) {
  return new Promise((done) => {
    const timer = setTimeout(finish, milliseconds);
    function finish() {
      clearTimeout(timer);
      removeEventListener("online", finish);
      done();
    }
    addEventListener("online", finish);
  });
}

// Ask the server until it answers, or `tries` times. `unreachable` is told of every attempt that
// failed. Returns {status, body}; a status of 400 or more is the server's last word.
export async function ask(path, { body, token, tries = Infinity, unreachable = () => {} } = {}) {
  for (let attempt = 0; attempt < tries; attempt += 1) {
    try {
      const answer = await fetch(path, {
        method: body ? "POST" : "GET",
        headers: body ? { "Content-Type": "application/json", "X-Room-Token": token } : {},
        body: body && JSON.stringify(body),
        cache: "no-store",
        credentials: "same-origin",
        signal: AbortSignal.timeout(PATIENCE),
      });
      if (answer.status < 500 && answer.status !== 429) {
        return { status: answer.status, body: await answer.json() };
      }
    } catch {
      // no network, no server, or an answer cut short: the same to us
    }
    unreachable();
    if (attempt + 1 < tries) await pause(WAITS[Math.min(attempt, WAITS.length - 1)]);
  }
  return { status: 503, body: null };
}

// Send one event until it is acknowledged or refused; it stays kept until then.
export async function deliver(event, { box, token, unreachable }) {
  keep(box, event);
  const answer = await ask("/room/respond", { body: event, token, unreachable });
  // 401 and 403 speak of the session, not of the answer: it is kept for the next one
  if (answer.status !== 401 && answer.status !== 403) keep(box, null);
  return answer;
}
