// Elements. A text only ever becomes text: no part of the page makes HTML out of strings.

export const $ = (id) => document.getElementById(id);

export function element(tag, className = "", ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children.filter((child) => child !== null));
  return made;
}

export function button(className, text, onClick) {
  const made = element("button", className, text);
  made.type = "button";
  made.addEventListener("click", onClick);
  return made;
}

// New rows in a list; whoever came by keyboard stays at the same place in it.
export function replaced(list, rows) {
  const place = [...list.children].findIndex((row) => row.contains(document.activeElement));
  list.replaceChildren(...rows);
  if (place >= 0) rows[Math.min(place, rows.length - 1)]?.querySelector("button")?.focus();
}

// Opens a dialog of the page and waits until it is closed: true where its form was sent.
export function answered(dialog) {
  return new Promise((resolve) => {
    dialog.returnValue = "";
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
    dialog.showModal();
  });
}

export function wireDialog(dialog) {
  dialog.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault(); // the page's policy lets no form be sent anywhere
    dialog.close("yes");
  });
  dialog.querySelector(".no").addEventListener("click", () => dialog.close());
}
