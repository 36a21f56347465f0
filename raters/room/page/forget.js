// After a withdrawal: what the room kept in this browser goes too, drafts and answers not yet sent.
// Only this rater's: another's, or another study's, may still wait to be sent.

const ending = `-${document.currentScript.dataset.box}`;
try {
  const names = Object.keys(localStorage).filter((name) => name.startsWith("pinlu-") && name.endsWith(ending));
  for (const name of names) localStorage.removeItem(name);
} catch {
  // storage is forbidden: then nothing was kept
}
