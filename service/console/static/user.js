// Who is looked at: the picker, the stored history, and a session that is not stored.
import { call } from "./api.js";
import { about, tile, title } from "./cards.js";
import { $, button, element, replaced } from "./dom.js";

export const pathOf = (user) => `/users/${encodeURIComponent(user)}/history`;

export async function offerUsers(user, onPick) {
  const { answer } = await call("GET", "/console/users");
  const chips = answer.users.map((name) => {
    const chip = button("chip", name, () => onPick(name));
    chip.setAttribute("aria-pressed", String(name === user));
    return chip;
  });
  $("sample").replaceChildren(...(chips.length ? chips : [element("span", "quiet", "none stored yet: type any id")]));
  return answer.users;
}

export function markUser(user) {
  $("user").value = user;
  $("for").textContent = user;
  for (const chip of $("sample").querySelectorAll("button")) {
    chip.setAttribute("aria-pressed", String(chip.textContent === user));
  }
}

// `items` newest first, or null where they cannot be read; `version`: the model whose cards are shown.
export function showHistory(items, { newest, version, onOpen }) {
  const empty = items ? "Nothing is stored for this user." : "The stored history cannot be read now.";
  const rows = (items ?? []).map((id, place) => row(id, { isNew: place === 0 && id === newest, version, onOpen }));
  replaced($("history"), rows.length ? rows : [element("li", "empty", empty)]);
  $("history-count").textContent = rows.length ? String(rows.length) : "";
  $("erase").disabled = rows.length === 0;
}

export function showSession(items, { version, onOpen, onRemove }) {
  $("session-box").hidden = items.length === 0;
  const rows = items.map((id, place) => {
    const made = row(id, { isNew: place === items.length - 1, version, onOpen });
    const remove = button("quietly", "✕", () => onRemove(place));
    remove.setAttribute("aria-label", `Take ${title(id, version)} out of the session`);
    made.append(remove);
    return made;
  });
  replaced($("session"), rows.reverse()); // newest first, like the history
}

function row(id, { isNew, version, onOpen }) {
  const open = button("open", "", () => onOpen(id));
  const [named, what] = [title(id, version), about(id, version)];
  open.dataset.id = id;
  open.append(tile(id, version), element("span", "text", element("span", "title", named), element("span", "about", what)));
  open.setAttribute("aria-haspopup", "dialog");
  open.setAttribute("aria-label", `${named}, ${what}: show what is like it`);
  return element("li", isNew ? "new" : "", open);
}
