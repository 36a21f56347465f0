// Making elements of text. What comes from elsewhere becomes text nodes, never markup.

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") made.className = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export function button(name, text, onclick, attributes = {}) {
  return element("button", { type: "button", class: name, onclick, ...attributes }, text);
}

// Text with **stressed** words.
export function stressed(text) {
  return text.split("**").map((part, index) => (index % 2 ? element("em", {}, part) : part));
}

// Paragraphs, which a blank line parts.
export function paragraphs(text, name = "") {
  return text
    .split(/\n\s*\n/)
    .filter((one) => one.trim())
    .map((one) => element("p", { class: name }, one.trim()));
}
