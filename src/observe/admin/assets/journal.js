// The journal of one tenant: what came, what went on, what the app said, what the identity provider was told.
//
// Everything is put in as text, never as markup: what stands in an exchange was written by strangers.

const section = document.querySelector("#journal");
const tenant = section.dataset.tenant;
// What each reason of a refusal means, in the words of the server.
const reasons = JSON.parse(section.dataset.reasons);
const PAGE = 25;
const MOST = 300;

const make = (name, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
};

const entries = make("div", { className: "entries" });
const older = make("button", { type: "button", textContent: "Older", hidden: true });
const exported = make("a", { textContent: "Export as JSON lines" });
exported.href = `/api/journal/export?tenant=${encodeURIComponent(tenant)}`;
const note = make("p", { className: "quiet" });
section.append(note, entries, make("div", { className: "more" }, older, exported));

// ---- lines of a message

const pretty = (body) => {
  if (body === undefined || body === null || body === "") return [];
  let value = body;
  if (typeof value === "string") {
    try {
      value = JSON.parse(value);
    } catch {
      return body.split("\n");
    }
  }
  return JSON.stringify(value, null, 2).split("\n");
};

const bodyOf = ({ body, body_raw: raw, body_text: text, unreadable }) => {
  if (!unreadable) return pretty(body ?? raw ?? text);
  const size = unreadable.bytes === null ? "of unknown size" : `of ${unreadable.bytes} bytes`;
  return [`(a body ${size}, ${unreadable.begins}, is not kept)`];
};

const linesOf = (message) => {
  if (!message) return null;
  const first = message.status === undefined ? `${message.method} ${message.target}` : `status ${message.status}`;
  const headers = Object.entries(message.headers ?? {}).flatMap(([name, value]) => [value].flat().map((one) => `${name}: ${one}`));
  const body = bodyOf(message);
  const cut = message.cut ? [`(${message.cut} values more are not kept)`] : [];
  return [first, ...headers, ...(body.length ? ["", ...body] : []), ...cut];
};

// The longest common subsequence, of what is left between equal beginnings and ends; beyond a bound all of it differs.
const BOUND = 1_000_000;
export const diff = (before, after) => {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start += 1;
  let end = 0;
  while (end < before.length - start && end < after.length - start && before.at(-1 - end) === after.at(-1 - end)) end += 1;
  const one = before.slice(start, before.length - end);
  const two = after.slice(start, after.length - end);
  const middle = [];
  if (one.length * two.length > BOUND) {
    middle.push(...one.map((line) => ["cut", line]), ...two.map((line) => ["add", line]));
  } else {
    const width = two.length + 1;
    const length = new Uint32Array((one.length + 1) * width);
    for (let i = one.length - 1; i >= 0; i -= 1) {
      for (let j = two.length - 1; j >= 0; j -= 1) {
        length[i * width + j] = one[i] === two[j]
          ? length[(i + 1) * width + j + 1] + 1
          : Math.max(length[(i + 1) * width + j], length[i * width + j + 1]);
      }
    }
    let [i, j] = [0, 0];
    while (i < one.length || j < two.length) {
      if (i < one.length && j < two.length && one[i] === two[j]) {
        middle.push(["same", one[i]]);
        [i, j] = [i + 1, j + 1];
      } else if (i < one.length && (j === two.length || length[(i + 1) * width + j] >= length[i * width + j + 1])) {
        middle.push(["cut", one[i]]);
        i += 1;
      } else {
        middle.push(["add", two[j]]);
        j += 1;
      }
    }
  }
  const same = (line) => ["same", line];
  return [...before.slice(0, start).map(same), ...middle, ...before.slice(before.length - end).map(same)];
};

const SIGNS = { same: "  ", cut: "− ", add: "+ " };
const WORDS = { cut: "taken out: ", add: "put in: " };
const CONTEXT = 4;

const drawn = (lines) => {
  const box = make("div", { className: "diff", tabIndex: 0 });
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", "Lines before and after");
  const changed = lines.flatMap(([kind], at) => (kind === "same" ? [] : [at]));
  const isNear = (at) => changed.length === 0 || at < 1 || changed.some((one) => Math.abs(one - at) <= CONTEXT);
  let skipped = 0;
  const flush = () => {
    if (skipped) box.append(make("span", { className: "skip-lines", textContent: `  … ${skipped} equal lines` }));
    skipped = 0;
  };
  lines.forEach(([kind, line], at) => {
    if (lines.length > 24 && !isNear(at)) {
      skipped += 1;
      return;
    }
    flush();
    const row = make("span", { className: kind });
    if (WORDS[kind]) row.append(make("span", { className: "hidden", textContent: WORDS[kind] }));
    row.append(SIGNS[kind] + line);
    box.append(row);
  });
  flush();
  return box;
};

const compared = (title, before, after, without) => {
  const parts = [make("h3", { textContent: title })];
  if (!before) parts.push(make("p", { className: "quiet", textContent: without.before }));
  if (!after) parts.push(make("p", { className: "quiet", textContent: without.after }));
  if (!before || !after) {
    if (before ?? after) parts.push(drawn((before ?? after).map((line) => ["same", line])));
  } else {
    const lines = diff(before, after);
    if (lines.every(([kind]) => kind === "same")) parts.push(make("p", { className: "quiet", textContent: "Not changed." }));
    parts.push(drawn(lines));
  }
  return parts;
};

// ---- one exchange

// The one place that knows how the journal spells things.
const read = (entry) => ({
  key: String(entry.seq),
  id: entry.id,
  at: Date.parse(entry.at),
  method: entry.request?.method ?? "",
  target: entry.request?.target ?? "",
  received: entry.request,
  forwarded: entry.forwarded,
  app: entry.app,
  told: entry.told,
  fixes: entry.fixes ?? [],
  observed: entry.observed ?? [],
  refused: entry.refused,
  times: entry.times_us ?? {},
  isRevealed: entry.revealed === true,
});

const marks = (title, list) => {
  if (!list.length) return [];
  const items = list.map((fix) => make("li", { className: "pair" },
    make("a", { href: `/quirks#${encodeURIComponent(fix.quirk)}`, textContent: fix.quirk }),
    ...(fix.direction ? [` ${fix.direction}`] : []),
    ...(fix.at ? [" at ", make("code", { textContent: fix.at })] : [])));
  return [make("h3", { textContent: title }), make("ul", { className: "marks" }, ...items)];
};

const inside = (one) => {
  const parts = [];
  if (one.refused) {
    const { reason, detail = "" } = one.refused;
    parts.push(make("p", {}, make("strong", { textContent: `Refused by scimshim (${reason}). ` }),
      [reasons[reason], detail].filter(Boolean).join(" ")));
  }
  if (one.isRevealed) parts.push(make("p", { className: "warn", textContent: "▲ Values are in clear: journal.reveal names this tenant." }));
  parts.push(...marks("Fixed", one.fixes), ...marks("Seen, not changed", one.observed));
  parts.push(...compared("Request: as received, and as forwarded to the app",
    linesOf(one.received), linesOf(one.forwarded),
    { before: "What was received is not at hand.", after: "It was not forwarded." }));
  parts.push(...compared("Answer: of the app, and as told to the identity provider",
    linesOf(one.app), linesOf(one.told),
    { before: "The app gave no answer.", after: "The identity provider got none: it left before, or was cut off." }));
  const times = Object.entries(one.times).map(([name, micros]) => `${name} ${(micros / 1000).toFixed(1)} ms`);
  parts.push(make("p", { className: "quiet", textContent: [`request id ${one.id}`, ...times].join(", ") }));
  return make("div", { className: "inside" }, ...parts);
};

const clock = (at) => {
  const time = new Date(at);
  const text = Number.isNaN(time.getTime()) ? "" : time.toISOString();
  return make("time", { dateTime: text, title: text, textContent: text.slice(11, 19) });
};

const drawnEntry = (entry) => {
  const one = read(entry);
  const details = make("details", { className: "entry" });
  details.dataset.key = one.key;
  const [said, told] = [one.app?.status, one.told?.status];
  const status = said === told || said === undefined ? `${told ?? "no answer"}` : `${said} → ${told ?? "no answer"}`;
  const isBad = !(told >= 200 && told < 400);
  const count = one.fixes.length;
  details.append(make("summary", {},
    clock(one.at),
    make("strong", { textContent: one.method }),
    make("code", { className: "target", textContent: one.target }),
    make("span", { className: isBad ? "bad" : "good", textContent: `${isBad ? "■" : "●"} ${status}` }),
    make("span", { className: "quiet inline", textContent: count ? `${count} ${count === 1 ? "fix" : "fixes"}` : "" })));
  // A body of a megabyte is laid out only for who wants to see it.
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) details.append(inside(one));
  });
  return details;
};

// ---- paging

let next = null;
let isRead = false;
const fetched = async (before) => {
  const query = new URLSearchParams({ tenant, limit: PAGE });
  if (before !== null) query.set("before", before);
  const answer = await fetch(`/api/journal?${query}`);
  const page = await answer.json();
  if (!answer.ok) throw new Error(page.error ?? `status ${answer.status}`);
  return { entries: page.entries ?? [], next: page.next ?? null };
};

const show = async (before) => {
  try {
    const page = await fetched(before);
    const known = new Set([...entries.children].map((entry) => entry.dataset.key));
    const fresh = page.entries.filter((entry) => !known.has(read(entry).key)).map(drawnEntry);
    if (before === null) entries.prepend(...fresh);
    else entries.append(...fresh);
    // What is new at the top leaves alone how far down somebody has read.
    if (before !== null || !isRead) next = page.next;
    isRead = true;
    older.hidden = next === null || entries.childElementCount >= MOST;
    note.textContent = entries.childElementCount ? "" : "Nothing has been recorded of this connection yet.";
  } catch (error) {
    note.textContent = `The journal cannot be read: ${error.message}`;
  }
};

older.addEventListener("click", () => show(next));
let showing = Promise.resolve();
document.addEventListener("scimshim:fresh", () => {
  if (entries.childElementCount < MOST) showing = showing.then(() => show(null));
});
showing = showing.then(() => show(null));
