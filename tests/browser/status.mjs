// Drives the status page. Run by tests/it/browser.rs: `node status.mjs URL MODULES OTHER`, with what is planted named there.
//
// It talks with the test by lines: it says what it wants changed (`> change`), and the test answers when it is done.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { mkdirSync } from "node:fs";
import { createInterface } from "node:readline";

// The second address is another admin port of the same, which goes on when the first drains.
const [, , url, modules, other] = process.argv;
const { chromium } = createRequire(`${modules}/`)("playwright-core");
const shots = process.env.SCIMSHIM_SHOTS;
if (shots) mkdirSync(shots, { recursive: true });

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const ask = async (change) => {
  process.stdout.write(`> ${change}\n`);
  const { value } = await answers.next();
  assert.equal(value, "done");
};

const browser = await chromium.launch({
  executablePath: process.env.SCIMSHIM_CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});

// Everything that must not happen, on any page of any context.
const wrong = [];
const hosts = [url, other].map((one) => new URL(one).host);
const open = async (options = {}) => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`));
  });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) wrong.push(`console: ${message.text()}`); });
  page.on("pageerror", (error) => wrong.push(`error: ${error}`));
  page.on("request", (request) => { if (!hosts.includes(new URL(request.url()).host)) wrong.push(`another host: ${request.url()}`); });
  page.on("response", (response) => { if (response.status() >= 400) wrong.push(`${response.status()}: ${response.url()}`); });
  page.on("dialog", (dialog) => { wrong.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  return page;
};

const shot = async (page, name) => {
  if (!shots) return;
  await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({ path: `${shots}/${name}.png`, fullPage: true });
};
const names = (page) => page.$$eval("#tenants tbody tr:not([hidden])", (rows) => rows.map((row) => row.dataset.key));
const until = (page, check, argument) => page.waitForFunction(check, argument, { timeout: 15_000 });
const step = (name) => process.stdout.write(`${name}\n`);
const noSideways = async (page) => {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  const who = () => [...document.querySelectorAll("main *")].filter((one) => one.getBoundingClientRect().right > innerWidth && !one.closest(".diff, .chart"))
    .map((one) => `${one.tagName}.${one.className} ${one.textContent.slice(0, 40)}`).slice(0, 6);
  assert.ok(over <= 0, `the page is ${over} px wider than the screen: ${await page.evaluate(who)}`);
};

// Both ends of the chart are seen, and what is written on it can be read.
const chartFits = async (page) => {
  const chart = await page.evaluate(() => {
    const figure = document.querySelector("figure.chart");
    const box = (one) => { const { left, right, top, bottom, height } = one.getBoundingClientRect(); return { left, right, top, bottom, height }; };
    const texts = [...figure.querySelectorAll("text")].map((one) => ({ text: one.textContent, ...box(one) }));
    return { hidden: figure.scrollWidth - figure.clientWidth, figure: box(figure), curves: box(figure.querySelector(".curves")), texts, width: innerWidth };
  });
  assert.ok(chart.hidden <= 0 && chart.figure.right <= chart.width, JSON.stringify(chart));
  assert.ok(chart.curves.right <= chart.figure.right && chart.curves.right > chart.figure.right - 30, JSON.stringify(chart));
  for (const one of chart.texts) {
    assert.ok(one.height >= 11 && one.left >= chart.figure.left && one.right <= chart.figure.right, JSON.stringify(one));
    const over = chart.texts.find((two) => two !== one && one.left < two.right && two.left < one.right && one.top < two.bottom && two.top < one.bottom);
    assert.equal(over, undefined, `${one.text} lies over ${over?.text}`);
  }
};

// WCAG 2, 1.4.3: what can be read has 4.5:1, by the colours that are in force.
const contrasts = (page) => page.evaluate(() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = rgba(getComputedStyle(one).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const poor = new Set();
  for (const element of document.querySelectorAll("body *")) {
    const text = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!text || element.closest("svg, .hidden, noscript") || !element.checkVisibility()) continue;
    const [one, two] = [light(rgba(getComputedStyle(element).color)), light(behind(element))].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (two + 0.05);
    if (ratio < 4.5) poor.add(`${element.tagName}.${element.className} ${ratio.toFixed(2)}`);
  }
  return [...poor];
});

step("it loads, the worst first");
let page = await open({ colorScheme: "light" });
await page.goto(url);
const worstFirst = await names(page);
assert.deepEqual(worstFirst.slice(0, 6), ["gone", "likely", "acme", "warming", "quiet", "shut"]);
assert.equal(worstFirst.length, 10);
assert.equal(await page.textContent("h1"), "6 of 10 connections need attention");
assert.match(await page.textContent('tr[data-key="shut"]'), /only refusals so far\s*nothing was let in so far; refused here: address 16/);
assert.match(await page.locator('tr[data-key="shut"] .state').getAttribute("class"), /shut_out/);
assert.match(await page.textContent('tr[data-key="likely"]'), /likely quarantined \(model\)/);
await page.waitForSelector("#live.good");
await until(page, () => document.querySelector("[data-live=chips]").textContent.includes("app unreachable"));
assert.deepEqual(await contrasts(page), []);
await shot(page, "list-light");

step("it sorts by click and by key");
const heading = (name) => page.locator("#tenants thead th", { hasText: name });
await heading("Failing").getByRole("button").click();
assert.equal(await heading("Failing").getAttribute("aria-sort"), "descending");
assert.equal((await names(page))[0], "acme");
await heading("Last success").getByRole("button").click();
assert.equal(await heading("Last success").getAttribute("aria-sort"), "ascending");
const bySuccess = await names(page);
assert.deepEqual(bySuccess.slice(0, 2).toSorted(), ["fresh", "shut"], "who never had one is the worst");
assert.deepEqual(bySuccess.slice(2, 5).toSorted(), ["gone", "likely", "quiet"]);
assert.equal(bySuccess[4], "quiet");
await heading("Connection").getByRole("button").focus();
await page.keyboard.press("Enter");
assert.equal(await heading("Connection").getAttribute("aria-sort"), "ascending");
assert.equal(await heading("Failing").getAttribute("aria-sort"), null);
const byName = await names(page);
assert.deepEqual(byName, byName.toSorted((one, two) => one.localeCompare(two, "en", { numeric: true })));
await page.keyboard.press("Space");
assert.deepEqual(await names(page), byName.toReversed());
await page.keyboard.press("Space");
assert.deepEqual(await names(page), worstFirst);

step("it filters by text and by state");
await page.fill("#filter-text", "BOOL-string");
assert.deepEqual(await names(page), ["acme"]);
assert.equal(await page.textContent("#shown"), "1 of 10 shown");
await page.fill("#filter-text", "");
await page.selectOption("#filter-state", "silent");
assert.deepEqual(await names(page), ["quiet"]);

step("a state changes live, under a filter and a sort");
await page.selectOption("#filter-state", "");
await heading("Risk").getByRole("button").click();
await page.focus('tr[data-key="calm"] a');
await ask("calm turns bad");
await until(page, () => document.querySelector('tr[data-key="calm"]').dataset.state === "likely_quarantined");
assert.equal(await page.textContent("h1"), "7 of 10 connections need attention");
assert.equal(await page.evaluate(() => document.activeElement.closest("tr")?.dataset.key), "calm", "the focus stays");
assert.equal(await heading("Risk").getAttribute("aria-sort"), "descending");
assert.ok((await names(page)).indexOf("calm") < (await names(page)).indexOf("acme"), "it moved to its place");
assert.match(await page.textContent("[aria-live]"), /7 of 10/);
await ask("late comes");
await page.waitForSelector('tr[data-key="late"]');
await ask("late goes");
await page.waitForSelector('tr[data-key="late"]', { state: "detached" });

step("what strangers wrote is text");
assert.equal(await page.locator("img").count(), 0);
assert.doesNotMatch(await page.title(), /owned/);

step("a connection is opened, with its chart and culprit");
await page.click('tr[data-key="acme"] a');
await page.waitForSelector("#journal .entry");
assert.match(await page.textContent("[data-live=culprits]"), /emails\.type, 91 % of failures <img/);
assert.match(await page.textContent("figcaption"), /failing share rose to 0\.52/);
assert.equal(await page.locator("figure svg path.line").count(), 7);
await chartFits(page);
assert.match(await page.textContent("[data-live=fixes]"), /patch-op-case/);

step("a fix is seen in the difference");
assert.equal(await page.locator(".entry").count(), 25);
const entry = page.locator(".entry").first();
await entry.locator("summary").focus();
await page.keyboard.press("Enter");
await entry.locator(".inside").waitFor();
const cut = await entry.locator(".diff .cut").allTextContents();
const added = await entry.locator(".diff .add").allTextContents();
assert.ok(cut.some((line) => line.includes('"op": "Replace"')), cut.join("\n"));
assert.ok(added.some((line) => line.includes('"op": "replace"')), added.join("\n"));
assert.ok(cut.some((line) => line.includes('"active": "True"')) && added.some((line) => line.includes('"active": true')));
assert.match(await entry.locator(".marks").first().textContent(), /patch-op-case.*at .*Operations/);
assert.match(await entry.textContent(), /<img src=x onerror=/);
assert.equal(await page.locator("img").count(), 0);
assert.deepEqual(await contrasts(page), []);
await shot(page, "tenant-light");
await page.getByRole("button", { name: "Older" }).click();
await until(page, () => document.querySelectorAll(".entry").length === 30);
assert.equal(await page.getByRole("button", { name: "Older" }).isVisible(), false);

step("the journal grows, and an open entry stays open");
await ask("an exchange is recorded");
await until(page, () => document.querySelectorAll(".entry").length === 31);
assert.match(await page.locator(".entry").first().textContent(), /401/);
await page.locator(".entry").first().locator("summary").click();
await page.locator(".entry").first().locator(".inside").waitFor();
assert.match(await page.locator(".entry").first().textContent(), /Refused by scimshim \(malformed\)\. The request is no sound HTTP or JSON.*It was not forwarded.*a body of 90 bytes, html, is not kept/s);
assert.equal(await page.locator(".entry[open]").count(), 2);

step("a quirk leads to its summary");
await page.locator("[data-live=fixes] a").first().click();
await page.waitForSelector("tr#patch-op-case");
assert.match(page.url(), /\/quirks#patch-op-case$/);
await shot(page, "quirks-light");

step("a name that is markup leads to its page");
await page.goto(url);
await page.locator("tr th a", { hasText: "<img" }).click();
assert.match(await page.textContent("h1"), /<img src=x/);
assert.doesNotMatch(await page.title(), /^owned/);
await page.context().close();

step("dark, by the system and by the button, and kept");
page = await open({ colorScheme: "dark" });
await page.goto(url);
await page.waitForSelector("#live.good");
const back = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
assert.equal(await back(), "rgb(18, 22, 27)");
assert.deepEqual(await contrasts(page), []);
await shot(page, "list-dark");
await page.click("#theme");
assert.equal(await back(), "rgb(246, 247, 249)");
await page.reload();
assert.equal(await back(), "rgb(246, 247, 249)", "the choice is kept");
await page.click("#theme");
await page.goto(`${url}/tenants/acme`);
await page.locator(".entry summary").first().click();
await page.locator(".entry .inside").waitFor();
assert.deepEqual(await contrasts(page), []);
await shot(page, "tenant-dark");
await page.context().close();

for (const width of [360, 320]) {
  step(`it fits a phone of ${width} px`);
  page = await open({ colorScheme: width === 360 ? "light" : "dark", viewport: { width, height: 740 }, hasTouch: true, reducedMotion: "reduce" });
  await page.goto(url);
  await page.waitForSelector("#live.good");
  await noSideways(page);
  await page.getByRole("button", { name: "Failing" }).click();
  assert.equal((await names(page))[0], "acme");
  await shot(page, `list-phone-${width}`);
  await page.goto(`${url}/tenants/acme`);
  await page.locator(".entry summary").first().click();
  await page.locator(".entry .inside").waitFor();
  await noSideways(page);
  await chartFits(page);
  await shot(page, `tenant-phone-${width}`);
  await page.goto(`${url}/quirks`);
  await noSideways(page);
  await page.context().close();
}

step("by keyboard alone");
page = await open();
await page.goto(url);
await page.keyboard.press("Tab");
assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to content");
await page.keyboard.press("Enter");
assert.equal(await page.evaluate(() => document.activeElement.id), "main");
await page.keyboard.press("Tab");
assert.equal(await page.evaluate(() => document.activeElement.id), "filter-text");
const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
assert.equal(outline, "solid", "the focus is seen");
await page.context().close();

step("without JavaScript");
page = await open({ javaScriptEnabled: false });
await page.goto(url);
assert.equal(await page.locator("#tenants tbody tr").count(), 10);
assert.match(await page.textContent('#tenants tbody tr:has-text("likely")'), /likely quarantined \(model\)/);
assert.equal(await page.locator("button").count(), 0, "there is nothing to click that does nothing");
await page.click('tr[data-key="acme"] a');
assert.match(await page.textContent("[data-live=culprits]"), /emails\.type/);
await shot(page, "tenant-noscript");
await page.context().close();

step("an operator from outside logs in");
await ask("the token is demanded");
const before = wrong.length;
page = await open();
await page.goto(url);
await shot(page, "login");
assert.equal(await page.locator("[role=alert]").count(), 0, "a first visit is no failure");
assert.match(await page.textContent(".login p.quiet"), /^This request does not come from loopback|demands the token of loopback too\.$/);
await page.fill("#token", "guess");
await page.keyboard.press("Enter");
await page.waitForSelector("[role=alert]");
await page.fill("#token", "planted-token");
await page.getByRole("button", { name: "Log in" }).click();
await page.waitForSelector("#live.good");
assert.equal((await page.context().cookies()).map((cookie) => [cookie.httpOnly, cookie.sameSite].join()).join(), "true,Strict");
await page.context().close();
const refusals = wrong.splice(before);
assert.ok(refusals.every((line) => line.includes("401")), refusals.join("\n"));

assert.deepEqual(wrong, []);

step("it drains, and the page says so");
await ask("the token is not demanded");
page = await open({ colorScheme: "light" });
await page.goto(url);
await page.waitForSelector("#live.good");
const chipColour = () => page.evaluate(() => getComputedStyle([...document.querySelectorAll(".chips .good, .chips .bad, .chips .warn")].at(0)).color);
const ready = await chipColour();
await ask("it drains");
await until(page, () => /▲ draining/.test(document.querySelector("[data-live=chips]").textContent), null);
assert.match(await page.textContent("#live"), /^▲ draining; as of \d+ s ago$/);
assert.deepEqual(await contrasts(page), []);
await shot(page, "draining");
await page.context().close();

step("it dies, and the page says that it is not live");
page = await open({ colorScheme: "light" });
await page.goto(other);
await page.waitForSelector("#live.good");
assert.equal(await chipColour(), ready);
await ask("it dies");
const died = Date.now();
await page.waitForSelector("#live.warn", { timeout: 10_000 });
assert.ok(Date.now() - died < 10_000);
assert.notEqual(await chipColour(), ready, "what was good is grey");
const age = async () => Number(/not live; as of (\d+) s ago/.exec(await page.textContent("#live"))[1]);
const first = await age();
await until(page, (first) => Number(/as of (\d+) s/.exec(document.querySelector("#live").textContent)[1]) >= first + 2, first);
assert.deepEqual(await contrasts(page), []);
await shot(page, "not-live");
await page.context().close();

await browser.close();
step("all done");
process.exit(0);
