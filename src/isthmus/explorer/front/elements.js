/** How the elements of the explorer are made. */

/** A new element, at the end of `parent` where one is given. */
export function element(tag, className = "", parent = null) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  parent?.append(made);
  return made;
}

/** A canvas for a picture, with a word below it. */
export function labelled(parent, text) {
  const box = element("figure", "", parent);
  const canvas = element("canvas", "explorer-picture", box);
  element("figcaption", "", box).textContent = text;
  return canvas;
}

/** A button that says what it does. */
export function button(parent, text, act) {
  const made = element("button", "", parent);
  made.type = "button";
  made.textContent = text;
  made.addEventListener("click", act);
  return made;
}
