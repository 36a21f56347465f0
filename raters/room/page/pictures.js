// Pictures, fetched ahead. They may not be cached by the browser (`no-store`), so that nothing of
// a study stays on a shared computer; they live in the page and go with it.

const WAIT = 2000;
const held = new Map();

async function fetched(id) {
  const answer = await fetch(`/media/${id}`, { credentials: "same-origin" });
  if (!answer.ok) throw new Error(String(answer.status));
  const address = URL.createObjectURL(await answer.blob());
  const image = new Image();
  image.src = address;
  await image.decode();
  return address;
}

export function fetchAhead(ids) {
  for (const id of ids) {
    if (!held.has(id)) {
      const coming = fetched(id);
      coming.catch(() => held.delete(id));
      held.set(id, coming);
    }
  }
}

// The address of a picture that is there and decoded; asks again until it is.
export async function picture(id, unreachable) {
  for (;;) {
    fetchAhead([id]);
    try {
      return await held.get(id);
    } catch {
      unreachable();
      await new Promise((done) => setTimeout(done, WAIT));
    }
  }
}

export function forget(except) {
  for (const [id, coming] of held) {
    if (!except.includes(id)) {
      held.delete(id);
      coming.then((address) => URL.revokeObjectURL(address), () => {});
    }
  }
}
