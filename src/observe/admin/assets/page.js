// Keeps a page that the server has rendered fresh, and sorts and filters its table.
//
// There is no second rendering here: an event says that something has changed, the same page is fetched again, and what
// differs is taken over. So a filter, an order, an open entry and the focus stay where they are.

const make = (name, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
};
const find = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// ---- theme

const dark = matchMedia("(prefers-color-scheme: dark)");
const themeButton = make("button", { type: "button", id: "theme" });
const isDark = () => (document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
const nameTheme = () => { themeButton.textContent = isDark() ? "Light theme" : "Dark theme"; };
themeButton.addEventListener("click", () => {
  const theme = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("scimshim-theme", theme);
  } catch {
    // The choice lasts as long as this page.
  }
  nameTheme();
});
dark.addEventListener("change", nameTheme);
nameTheme();
const live = make("span", { id: "live", className: "quiet inline" });
const news = make("p", { className: "hidden" });
news.setAttribute("aria-live", "polite");
find("#tools").append(live, themeButton);
document.body.append(news);

// ---- order and filter of the connections

const table = find("#tenants");
const body = table?.tBodies[0];
const order = { column: null, down: false };
const filter = { text: "", state: "" };

const valueOf = (row, column) => {
  const value = row.cells[column].dataset.sort ?? "";
  return value !== "" && Number.isFinite(Number(value)) ? Number(value) : value;
};
const compare = (one, two) => {
  if (typeof one === "number" && typeof two === "number") return one - two;
  return String(one).localeCompare(String(two), "en", { numeric: true });
};

const arrange = () => {
  if (!body) return;
  const rows = [...body.rows];
  const byServer = (one, two) => Number(one.dataset.at) - Number(two.dataset.at);
  const sorted = rows.toSorted((one, two) => {
    if (order.column === null) return byServer(one, two);
    const difference = compare(valueOf(one, order.column), valueOf(two, order.column));
    return (order.down ? -difference : difference) || byServer(one, two);
  });
  // A row that is taken out to be put elsewhere loses the focus.
  const focused = document.activeElement;
  sorted.forEach((row, at) => { if (body.rows[at] !== row) body.insertBefore(row, body.rows[at] ?? null); });
  if (document.activeElement !== focused) focused.focus({ preventScroll: true });
  let shown = 0;
  for (const row of sorted) {
    const matches = row.textContent.toLowerCase().includes(filter.text) && (!filter.state || row.dataset.state === filter.state);
    row.hidden = !matches;
    shown += matches ? 1 : 0;
  }
  find("#shown").textContent = shown === rows.length ? "" : `${shown} of ${rows.length} shown`;
};

const sortBy = (column) => {
  const isNumber = [...body.rows].some((row) => typeof valueOf(row, column) === "number");
  // Worst first: the greatest of numbers, but for a state, a time to quarantine and a last success the least.
  const worstIsLeast = ["State", "Time to quarantine", "Last success"].includes(headings[column].dataset.name);
  const first = isNumber && !worstIsLeast;
  if (order.column !== column) Object.assign(order, { column, down: first });
  else if (order.down === first) order.down = !first;
  else order.column = null;
  headings.forEach((heading, at) => {
    if (at === order.column) heading.setAttribute("aria-sort", order.down ? "descending" : "ascending");
    else heading.removeAttribute("aria-sort");
  });
  arrange();
};

const headings = all("#tenants thead th");
if (table) {
  headings.forEach((heading, column) => {
    const name = heading.textContent;
    heading.dataset.name = name;
    const button = make("button", { type: "button", textContent: name });
    button.addEventListener("click", () => sortBy(column));
    heading.replaceChildren(button);
  });
  const text = make("input", { type: "search", id: "filter-text", placeholder: "name, identity provider, quirk …", autocomplete: "off" });
  text.addEventListener("input", () => { filter.text = text.value.trim().toLowerCase(); arrange(); });
  const state = make("select", { id: "filter-state" }, make("option", { value: "", textContent: "every state" }));
  const known = {
    disabled_suspected: "switch-off suspected", likely_quarantined: "likely quarantined", at_risk: "at risk",
    silent: "silent", recovering: "recovering", unknown: "no traffic yet", healthy: "healthy",
  };
  for (const [value, textContent] of Object.entries(known)) state.append(make("option", { value, textContent }));
  state.addEventListener("change", () => { filter.state = state.value; arrange(); });
  find("#filter").append(
    make("label", {}, "Filter", text), make("label", {}, "State (model)", state), make("output", { id: "shown" }),
  );
  arrange();
}

// ---- staying fresh

// What the server said last, by row and by part: what stands in the page has been sorted and hidden meanwhile.
const said = new Map();
const parts = (root) => [
  ...all("[data-live]", root).map((element) => [`part ${element.dataset.live}`, element]),
  ...all("#tenants tbody tr", root).map((element) => [`row ${element.dataset.key}`, element]),
];
for (const [key, element] of parts(document)) said.set(key, element.outerHTML);

const takeOver = (fresh) => {
  const here = new Map(parts(document));
  const there = new Map(parts(fresh));
  for (const [key, element] of there) {
    const html = element.outerHTML;
    if (said.get(key) === html && here.has(key)) continue;
    said.set(key, html);
    const old = here.get(key);
    const added = document.importNode(element, true);
    if (key === "part summary" && find("h1", old)?.textContent !== find("h1", added)?.textContent) {
      news.textContent = find("h1", added).textContent;
    }
    if (old) {
      const changed = old.dataset.state !== undefined && old.dataset.state !== added.dataset.state;
      const focused = old.contains(document.activeElement) && document.activeElement.getAttribute("href");
      old.replaceWith(added);
      if (focused) all("a", added).find((link) => link.getAttribute("href") === focused)?.focus();
      if (changed) added.classList.add("fresh");
    } else if (body && key.startsWith("row ")) body.append(added);
  }
  for (const [key, element] of here) {
    if (!there.has(key)) {
      element.remove();
      said.delete(key);
    }
  }
  arrange();
};

let refreshing = null;
let again = false;
const refresh = () => {
  again = refreshing !== null;
  refreshing ??= (async () => {
    try {
      const answer = await fetch(location.pathname, { headers: { accept: "text/html" } });
      if (answer.status === 401) location.reload();
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      takeOver(new DOMParser().parseFromString(await answer.text(), "text/html"));
      document.dispatchEvent(new Event("scimshim:fresh"));
      isRefused = false;
      fresh = Date.now();
    } catch {
      isRefused = true;
    } finally {
      tell();
      refreshing = null;
      if (again) refresh();
    }
  })();
};

// When the page was as the server has it: after an event, once it has been fetched; and while nothing else is said,
// whenever the stream says that nothing has changed.
let fresh = Date.now();
let heard = Date.now();
let lost = null;
let isRefused = false;
let isDraining = false;
// The server says something every 5 s, so that a stream that says nothing for so long is dead or stuck.
const MUTE = 12_000;
// A stream that only ended is open again after 3 s.
const GONE = 5_000;

const isLive = () => !isRefused && (lost === null ? Date.now() - heard < MUTE : Date.now() - lost < GONE);
const tell = () => {
  const good = isLive() && !isDraining;
  const age = Math.round((Date.now() - fresh) / 1000);
  const word = isDraining && !isRefused ? "draining" : "not live";
  live.textContent = good ? "● live" : `▲ ${word}; as of ${age} s ago`;
  live.classList.toggle("good", good);
  live.classList.toggle("warn", !good);
  document.documentElement.classList.toggle("old", !good);
};
const hear = () => {
  heard = Date.now();
  lost = null;
  isDraining = false;
  if (!refreshing && !isRefused) fresh = heard;
  tell();
};

let source = null;
let retry = 0;
const follow = () => {
  clearTimeout(retry);
  source?.close();
  if (document.hidden) return;
  lost ??= Date.now();
  source = new EventSource("/api/events?data=none");
  source.addEventListener("open", hear);
  source.addEventListener("heartbeat", hear);
  source.addEventListener("status", (event) => {
    hear();
    if (JSON.parse(event.data).draining) stopping();
    refresh();
  });
  source.addEventListener("error", () => {
    lost ??= Date.now();
    tell();
    // The browser tries again by itself where the stream only ended; not after an answer such as 503.
    if (source.readyState === EventSource.CLOSED) later(10_000);
  });
};
const later = (time) => {
  clearTimeout(retry);
  retry = setTimeout(() => { refresh(); follow(); }, time);
};
// It says so itself and at once, for the page may be gone before it could be fetched.
const stopping = () => {
  source.close();
  isDraining = true;
  const chip = all(".chips li").find((one) => /ready$/.test(one.textContent));
  if (chip) Object.assign(chip, { textContent: "▲ draining", className: "warn" });
  news.textContent = "draining";
  tell();
  later(5_000);
};
// A page that nobody sees holds no stream.
document.addEventListener("visibilitychange", () => {
  source?.close();
  if (!document.hidden) {
    lost = Date.now();
    refresh();
    follow();
  }
});
setInterval(() => { if (!document.hidden) tell(); }, 1_000);
// So that "3 min ago" stays true where nothing else changes.
setInterval(() => { if (!document.hidden) refresh(); }, 30_000);
follow();
