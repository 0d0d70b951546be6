// The console: everything goes through the public API, and every text into the page through textContent.
"use strict";

const $ = (id) => document.getElementById(id);
const cards = new Map(); // item id -> card: fetched once
let user = ""; // whose lists are shown
let shown = new Map(); // item id -> rank, as last shown for this user
let turn = 0; // answers to older clicks are dropped

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function say(text, kind = "") {
  $("notice").hidden = !text;
  $("notice").className = kind;
  $("notice").textContent = text;
}

async function call(method, path, body, again = false) {
  const started = performance.now();
  const options = { method, headers: { Accept: "application/json" } };
  const key = sessionStorage.getItem("key"); // until the tab is closed
  if (key) options.headers.Authorization = `Bearer ${key}`;
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("The service cannot be reached.");
  }
  if (response.status === 401 && !again && askForKey(key)) return call(method, path, body, true);
  const answer = response.status === 204 ? null : await response.json();
  if (!response.ok) throw new Error(`${answer.message} (${answer.error}, request ${answer.request_id.slice(0, 8)})`);
  return { answer, ms: performance.now() - started, stages: response.headers.get("Server-Timing") };
}

// Several calls may be refused at once: who was refused with an older key than the present one just tries that.
function askForKey(refused) {
  if (sessionStorage.getItem("key") !== refused) return true;
  const key = (window.prompt("This service needs an API key:") ?? "").trim();
  if (key) sessionStorage.setItem("key", key);
  return key !== "";
}

async function fetchCards(ids) {
  const missing = [...new Set(ids)].filter((id) => !cards.has(id));
  for (let k = 0; k < missing.length; k += 20) {
    const query = missing.slice(k, k + 20).map((id) => `ids=${encodeURIComponent(id)}`).join("&");
    for (const card of (await call("GET", `/items?${query}`)).answer.items) cards.set(card.item_id, card);
  }
}

function about(id) {
  const card = cards.get(id);
  if (!card) return "not in this model";
  return [card.brand, card.categories.join(" › ")].filter(Boolean).join(" · ") || id;
}

const title = (id) => cards.get(id)?.title || id;

function showHistory(items, newest) {
  const rows = items.map((id, place) => {
    const row = element("li", place === 0 && id === newest ? "new" : "");
    row.append(element("span", "title", title(id)), element("span", "about", about(id)));
    return row;
  });
  $("history").replaceChildren(...(rows.length ? rows : [element("li", "empty", "Nothing is stored for this user.")]));
  $("history-count").textContent = items.length ? `${items.length}` : "";
  $("erase").disabled = items.length === 0;
}

function change(id, rank, compare) {
  if (!compare) return null;
  const before = shown.get(id);
  if (before === undefined) return element("span", "change", "new");
  if (before === rank) return null;
  return element("span", before > rank ? "change" : "change down", before > rank ? `▲ ${before - rank}` : `▼ ${rank - before}`);
}

function recommendation(item, best, compare) {
  const row = element("li", compare && !shown.has(item.item_id) ? "new" : "");
  const button = element("button");
  button.type = "button";
  button.title = `Add ${item.item_id} to the history`;
  const name = element("span", "title", title(item.item_id));
  const moved = change(item.item_id, item.rank, compare);
  if (moved) name.append(moved);
  const meter = element("span", "meter");
  const bar = element("i");
  bar.style.width = `${Math.max(0, Math.min(100, (100 * item.score) / best))}%`;
  meter.append(bar);
  button.append(element("span", "rank", item.rank), name, element("span", "score", item.score.toFixed(3)), element("span", "about", about(item.item_id)), meter);
  button.addEventListener("click", () => add(item.item_id));
  row.append(button);
  return row;
}

function showList(answer, ms, stages, compare) {
  const best = Math.max(answer.items[0]?.score ?? 1, 1e-9);
  const rows = answer.items.map((item) => recommendation(item, best, compare));
  $("list").replaceChildren(...(rows.length ? rows : [element("li", "empty", "Every item of the catalogue has been seen.")]));
  $("source").hidden = false;
  $("source").className = `badge ${answer.source}`;
  $("source").textContent = answer.source;
  $("degraded").hidden = !answer.degraded;
  $("latency").textContent = `${ms.toFixed(0)} ms`;
  $("latency").title = stages || "";
  $("explain").textContent = answer.source === "model"
    ? "Click an item as if this user had chosen it, and see what changes."
    : "No known item in the history: these are the most popular items. Click one to begin.";
  if (answer.degraded) say("Redis does not answer: the list was made without the stored history.", "warn");
  shown = new Map(answer.items.map((item) => [item.item_id, item.rank]));
}

async function refresh(newest, compare) {
  const mine = ++turn;
  const count = Number($("count").value);
  const asked = user;
  const [list, stored] = await Promise.all([
    call("POST", "/recommend", { user_id: asked, n: count }),
    call("GET", `/users/${encodeURIComponent(asked)}/history`).catch(() => null),
  ]);
  const history = stored ? stored.answer.items.map((item) => item.item_id).reverse() : null;
  await fetchCards([...list.answer.items.map((item) => item.item_id), ...(history ?? [])]);
  if (mine !== turn) return;
  if (history) showHistory(history, newest);
  else {
    $("history").replaceChildren(element("li", "empty", "The stored history cannot be read now."));
    $("history-count").textContent = "";
    $("erase").disabled = true;
  }
  showList(list.answer, list.ms, list.stages, compare);
}

async function attempt(work) {
  document.body.setAttribute("aria-busy", "true");
  try {
    await work();
  } catch (error) {
    say(error.message, "error");
  } finally {
    document.body.removeAttribute("aria-busy");
  }
}

function choose(name) {
  user = name;
  shown = new Map();
  $("user").value = name;
  for (const chip of $("sample").children) chip.setAttribute("aria-pressed", String(chip.textContent === name));
  say("");
  return attempt(() => refresh(null, false));
}

function add(id) {
  return attempt(async () => {
    await call("POST", "/events", { events: [{ user_id: user, item_id: id, event_id: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}` }] });
    say(`Added “${title(id)}” to the history of ${user}.`);
    await refresh(id, true);
  });
}

function erase() {
  return attempt(async () => {
    await call("DELETE", `/users/${encodeURIComponent(user)}/history`);
    say(`The history of ${user} is erased.`);
    await refresh(null, true);
  });
}

async function sample() {
  const { answer } = await call("GET", "/console/users");
  const chips = answer.users.map((name) => {
    const chip = element("button", "", name);
    chip.type = "button";
    chip.setAttribute("aria-pressed", String(name === user));
    chip.addEventListener("click", () => choose(name));
    return chip;
  });
  $("sample").replaceChildren(...(chips.length ? chips : [element("span", "quiet", "none stored yet: type any id")]));
  return answer.users;
}

async function facts() {
  const { answer } = await call("GET", "/readyz");
  $("model").textContent = answer.model_version;
  $("size").textContent = answer.items.toLocaleString();
  $("redis").textContent = answer.redis;
  $("redis").className = answer.redis;
}

$("pick").addEventListener("submit", (event) => {
  event.preventDefault();
  choose($("user").value);
});
$("more").addEventListener("click", () => attempt(sample));
$("erase").addEventListener("click", erase);
attempt(facts);
attempt(async () => {
  const users = await sample();
  if (users.length && !user) await choose(users[0]);
});
