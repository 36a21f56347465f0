// Marks on passages: [start, end) in characters of a section's text, each of one kind; no two of
// them overlap. Characters are code points, as the server counts them.

export const signsIn = (text) => Array.from(text).length;

// A text cut into sentences: [start, end), nothing left out between them.
export function sentences(text) {
  const found = [];
  const end = /(?:[。！？!?]+[”』」"')]*|\.(?=\s|$)[”"')]*|\n)\s*/g;
  let start = 0;
  let before = 0;
  const cut = (stop) => {
    const part = text.slice(start, stop);
    if (!part.trim()) return;
    found.push([before, before + signsIn(part)]);
    before += signsIn(part);
    start = stop;
  };
  for (const match of text.matchAll(end)) cut(match.index + match[0].length);
  cut(text.length);
  return found;
}

const at = (mark, place) => mark.side === place.side && mark.section === place.section;
const plain = ({ side, section, start, end }) => ({ side, section, start, end });

// Marks after a passage was given a kind, or none: what lay there before gives way, and with marks of
// the same kind that it touches it is one. The same list comes back where it would grow too long.
export function withMark(marks, place, kind, most) {
  const touched = marks.filter((mark) =>
    at(mark, place) && mark.kind === kind && mark.start <= place.end && place.start <= mark.end);
  const rest = marks.filter((mark) => !touched.includes(mark)).flatMap((mark) => {
    if (!at(mark, place)) return [mark];
    const pieces = [
      { ...mark, end: Math.min(mark.end, place.start) },
      { ...mark, start: Math.max(mark.start, place.end) },
    ];
    return pieces.filter(({ start, end }) => start < end);
  });
  const start = Math.min(place.start, ...touched.map((mark) => mark.start));
  const end = Math.max(place.end, ...touched.map((mark) => mark.end));
  const after = kind ? [...rest, { ...plain(place), start, end, kind }] : rest;
  return after.length <= most ? after : marks;
}

// What a further press on a sentence makes of it: nothing, wrong, invented, nothing.
export function pressed(marks, place, kinds, most) {
  const before = marks.find((mark) => at(mark, place) && mark.start <= place.start && place.end <= mark.end);
  const kind = kinds[before ? kinds.indexOf(before.kind) + 1 : 0];
  return withMark(marks, place, kind, most);
}

export const marksIn = (marks, place) =>
  marks.filter((mark) => at(mark, place) && mark.start < place.end && place.start < mark.end);

// A passage cut where marks begin and end: [start, end, mark or undefined].
export function pieces(marks, place) {
  const own = marksIn(marks, place);
  const edges = [place.start, place.end, ...own.flatMap(({ start, end }) => [start, end])];
  const cuts = [...new Set(edges)].filter((one) => place.start <= one && one <= place.end).sort((a, b) => a - b);
  return cuts.slice(1).map((end, index) => [
    cuts[index], end, own.find((mark) => mark.start <= cuts[index] && end <= mark.end),
  ]);
}

// What of the window's selection lies in the paragraphs of one article, in characters, without the
// blanks at its ends; [] where nothing is selected there.
export function selectedIn(articles) {
  const selection = getSelection();
  if (!selection.rangeCount || selection.isCollapsed) return [];
  const range = selection.getRangeAt(0);
  const article = articles.find((one) => one.contains(range.startContainer))
    ?? articles.find((one) => range.intersectsNode(one));
  if (!article) return [];
  return [...article.querySelectorAll("p")]
    .filter((paragraph) => range.intersectsNode(paragraph))
    .map((paragraph) => offsets(paragraph, range))
    .filter(({ start, end }) => start < end);
}

function offsets(paragraph, range) {
  const whole = document.createRange();
  whole.selectNodeContents(paragraph);
  const inside = whole.cloneRange();
  if (whole.comparePoint(range.startContainer, range.startOffset) === 0) {
    inside.setStart(range.startContainer, range.startOffset);
  }
  if (whole.comparePoint(range.endContainer, range.endOffset) === 0) {
    inside.setEnd(range.endContainer, range.endOffset);
  }
  const before = whole.cloneRange();
  before.setEnd(inside.startContainer, inside.startOffset);
  const text = inside.toString();
  const start = signsIn(before.toString()) + signsIn(text) - signsIn(text.trimStart());
  const { side, section } = paragraph.dataset;
  return { side, section: Number(section), start, end: start + signsIn(text.trim()) };
}
