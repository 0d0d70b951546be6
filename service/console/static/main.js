// The console: everything goes through the public API.
import { call, wireKey } from "./api.js";
import { fetchCards, title } from "./cards.js";
import { Column, difference } from "./column.js";
import { $, answered, wireDialog } from "./dom.js";
import { watchHealth } from "./health.js";
import { showSimilar, wireSimilar } from "./similar.js";
import { markUser, offerUsers, pathOf, showHistory, showSession } from "./user.js";

const MOST_IN_SESSION = 100; // what the API takes as context_items
const WIDE = "(min-width: 48rem)";
const [a, b] = ["A", "B"].map((name) => new Column(name, () => attempt(() => refresh()), pick));
let user = null; // who was chosen
let typed = false; // somebody began to, or is about to: nobody is chosen for them
let listed = null; // whose lists are on the page: the one before, until the answers are there
let session = []; // item ids, oldest first
let under = 0; // attempts under way
let turn = 0; // answers to older clicks are dropped

function say(text, kind = "", again = null) {
  $("notice").hidden = !text;
  $("notice").className = kind;
  $("notice-text").textContent = text;
  $("again").hidden = !again;
  $("again").onclick = again;
}

async function attempt(work) {
  if ($("notice").className) say(""); // what was wrong before may be right now
  under += 1;
  document.body.setAttribute("aria-busy", "true");
  try {
    await work();
  } catch (error) {
    say(error.message, "error", error.wait == null ? null : () => { say(""); attempt(work); });
  } finally {
    under -= 1;
    if (under === 0) document.body.removeAttribute("aria-busy");
  }
}

const columns = () => ($("compare").checked ? [a, b] : [a]);

async function refresh(newest = null) {
  if (user === null) return;
  const mine = ++turn;
  const asked = { user_id: user, ...(session.length ? { context_items: session } : {}) };
  const wanted = columns();
  const answers = wanted.map((column) => call("POST", "/recommend", { ...asked, ...column.controls.request() }));
  const [stored, ...lists] = await Promise.allSettled([call("GET", pathOf(user)), ...answers]);
  const history = stored.value?.answer.items.map((item) => item.item_id).reverse() ?? null;
  const failed = lists.find((list) => list.status === "rejected")?.reason;
  const answer = lists.map((list) => list.value?.answer);
  const untitled = await titles(answer, [...session, ...(history ?? [])]).then(() => null, (error) => error); // then ids stand for titles
  if (mine !== turn) return;
  listed = asked.user_id;
  const version = answer[0]?.model_version; // the history is told as the first list's model knows it
  showHistory(history, { newest, version, onOpen: open });
  showSession(session, { version, onOpen: open, onRemove: leaveSession });
  showLists(wanted, lists);
  tell(answer[0]);
  if (failed ?? untitled) throw failed ?? untitled;
}

// The cards of each list, and of the past, from the model that made the list.
async function titles(answers, past) {
  const lists = answers.filter(Boolean);
  if (lists.length === 0) await fetchCards(past, { user_id: user });
  for (const [place, { items, model_version: model }] of lists.entries()) {
    const reasons = items.flatMap((item) => item.reason ?? []);
    const needed = [...items, ...reasons].map((one) => one.item_id);
    await fetchCards([...needed, ...(place ? [] : past)], { model });
  }
}

// A alone is compared with what it was before, B with A.
function showLists(wanted, lists) {
  const ranks = lists.map((list) => new Map((list.value?.answer.items ?? []).map((item) => [item.item_id, item.rank])));
  const both = wanted.length === 2 && lists.every((list) => list.value);
  wanted.forEach((column, place) => {
    const { value } = lists[place];
    if (!value) column.fail();
    else if (both) column.show(value, place ? ranks[0] : null, place ? null : ranks[1]);
    else column.show(value, wanted.length === 1 ? column.shown : null, null);
  });
  $("difference").textContent = both ? difference(ranks[0], ranks[1]) : "";
}

function tell(answer) {
  if (!answer) return;
  const popular = answer.source === "popular";
  $("hint").textContent = popular
    ? "No known item in the history: these are the most popular items. Choose one to begin."
    : "Choose an item as if this user had, and see what changes.";
  if (answer.degraded) say("Redis does not answer: the list was made without the stored history.", "warn");
  $("announce").textContent = `${answer.items.length} ${popular ? "popular items" : "items"} for ${user}.`;
}

function choose(name) {
  user = name;
  session = [];
  [a, b].forEach((column) => column.forget());
  markUser(name);
  say("");
  return attempt(() => refresh());
}

// What was recommended to the user before is no event of this one.
function pick(id) {
  if (listed === user) add(id);
}

// From the model that A is set to, or that of the user.
function open(id) {
  if (listed !== user) return;
  const { model } = a.controls.request();
  attempt(() => showSimilar(id, model ? { model } : { user_id: user }, pick));
}

function add(id) {
  if ($("to-session").checked) return attempt(() => addToSession(id));
  const event = { user_id: user, item_id: id, event_id: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}` };
  return attempt(() => addEvent(event)); // tried again, it is the same event and counts once
}

async function addToSession(id) {
  session = [...session, id].slice(-MOST_IN_SESSION);
  say(`“${title(id)}” counts as the newest, and is not stored.`);
  await refresh();
}

async function addEvent(event) {
  const { user_id: whose, item_id: id } = event;
  const { answer } = await call("POST", "/events", { events: [event] });
  if (answer.unknown_items.length) {
    say(`The model does not know ${id}: nothing was stored.`, "warn");
    return;
  }
  await fetchCards([id], { user_id: whose });
  say(`Added “${title(id)}” to the history of ${whose}.`);
  await refresh(id);
}

function leaveSession(place) {
  session = session.filter((_, other) => other !== place);
  return attempt(() => refresh());
}

async function erase() {
  $("erase-text").textContent = `All that is stored of ${user} will be gone, for every caller of this service.`;
  if (!(await answered($("erase-dialog")))) return;
  await attempt(async () => {
    await call("DELETE", pathOf(user));
    say(`The history of ${user} is erased.`);
    await refresh();
  });
}

function compare() {
  $("columns").classList.toggle("two", columns().length === 2);
  b.root.hidden = columns().length === 1;
  a.forget();
  if (!b.root.hidden) b.part(".settings").open = true;
  return attempt(() => refresh());
}

async function offer() {
  const [facets, models] = await Promise.all([call("GET", "/console/facets"), call("GET", "/models")]);
  for (const { controls } of [a, b]) {
    controls.offerFacets(facets.answer);
    controls.offerModels(models.answer);
  }
}

async function start() {
  const users = await offerUsers(user, choose);
  if (users.length && user === null && !typed) await choose(users[0]);
}

$("columns").append(a.root, b.root);
b.root.hidden = true;
a.part(".settings").open = matchMedia(WIDE).matches;
wireDialog($("erase-dialog"));
wireSimilar();
wireKey(() => attempt(start));
for (const begun of ["focus", "input"]) $("user").addEventListener(begun, () => { typed = true; });
$("pick").addEventListener("submit", (event) => {
  event.preventDefault();
  choose($("user").value);
});
$("add-item").addEventListener("submit", (event) => {
  event.preventDefault();
  if (user !== null) add($("item").value);
});
$("others").addEventListener("click", () => attempt(() => offerUsers(user, choose)));
$("erase").addEventListener("click", erase);
$("end-session").addEventListener("click", () => { session = []; attempt(() => refresh()); });
$("compare").addEventListener("change", compare);
watchHealth(() => attempt(offer));
attempt(start);
