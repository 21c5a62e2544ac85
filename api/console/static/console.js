// What pages do by themselves. They work without it: then times are UTC, and one reloads.
"use strict";

const $ = (which, inside = document) => inside.querySelector(which);
const all = (which, inside = document) => [...inside.querySelectorAll(which)];

// Times in the viewer's zone; UTC stands in the title. A customer's own page is in a language: in that, as the viewer's
// browser writes it where it has it.
const own = document.documentElement.dataset.language;
let locale = own && [...navigator.languages, own].find((each) => each.split("-")[0] === own.split("-")[0]);
try { Intl.getCanonicalLocales(locale ?? []); } catch { locale = undefined; }
const zone = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
const clock = new Intl.DateTimeFormat(locale, { timeStyle: "medium" });
// No line ends between a number and its unit.
const age = (s) => s < 60 ? `${Math.floor(s)}\u00a0s` : s < 3600 ? `${Math.floor(s / 60)}\u00a0min`
  : s < 172800 ? `${(s / 3600).toFixed(1)}\u00a0h` : `${(s / 86400).toFixed(1)}\u00a0d`;
function times(inside) {
  for (const each of all("time[datetime]", inside)) {
    const at = new Date(each.dateTime);
    if (isNaN(at)) continue;
    each.textContent = "age" in each.dataset ? age(Math.max(0, (Date.now() - at) / 1000))
      : "clock" in each.dataset ? clock.format(at) : zone.format(at);
  }
}

// Times on the axis of a picture, too.
const axis = { hour: new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" }),
  day: new Intl.DateTimeFormat(locale, { day: "numeric", month: "short" }) };
function axes(inside) {
  for (const each of all("text[data-at]", inside)) each.textContent = axis[each.dataset.form].format(new Date(each.dataset.at));
}

// Times that somebody chooses are in their zone, too: the server is sent UTC.
function fields() {
  const some = all("input[data-utc]"), two = (n) => String(n).padStart(2, "0");
  for (const each of some) {
    const at = new Date(`${each.defaultValue}Z`);  // a browser may have put back what was typed
    if (isNaN(at)) continue;
    each.value = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${two(at.getHours())}:${two(at.getMinutes())}`;
  }
  for (const form of new Set(some.map((each) => each.form))) {
    form.addEventListener("formdata", ({ formData }) => {
      for (const each of all("input[data-utc]", form)) {
        const at = new Date(each.value);
        if (!isNaN(at)) formData.set(each.name, at.toISOString().slice(0, 16));
      }
    });
  }
  for (const each of all("[data-zone]")) each.textContent = `your time zone, ${zone.resolvedOptions().timeZone}`;
}

// What could not be shown for lack of time is asked for again by itself, ever more seldom.
function again() {
  const turn = history.state?.again ?? 0;
  if (!$("[data-again]")) return turn ? history.replaceState(null, "") : undefined;
  if (turn > 5) return;
  history.replaceState({ again: turn + 1 }, "");
  setTimeout(() => location.reload(), 5000 * 2 ** turn);
}

// What was typed into a form is kept in this window while it is sent. Where the session had ended, it is put back once the
// same person has signed in again and is led back to that page.
function typed() {
  const kept = "repmon.typed", who = $(".who")?.title, here = location.pathname + location.search;
  const texts = "textarea, select, input:not([type=hidden], [type=password], [type=checkbox], [type=radio])";
  if (who === undefined) return;  // the page to sign in
  const was = JSON.parse(sessionStorage.getItem(kept) ?? "{}");
  sessionStorage.removeItem(kept);
  const ended = document.referrer && new URL(document.referrer).pathname === "/console/sign-in";
  const forms = ended && was.who === who && was.here === here ? all("main form[method=post]") : [];
  const form = forms.find((each) => each.getAttribute("action") === was.action);
  for (const [name, value] of form ? was.fields : []) {
    const field = form.elements.namedItem(name);
    if (!field?.matches?.(texts)) continue;
    field.value = value;
    for (let part = field; (part = part.parentElement.closest("details"));) part.open = true;
  }
  document.addEventListener("submit", ({ target }) => {
    if (!target.matches("main form[method=post]")) return;
    const fields = all(texts, target).map((each) => [each.name, each.value]);
    sessionStorage.setItem(kept, JSON.stringify({ who, here, action: target.getAttribute("action"), fields }));
  });
}

// Light or dark: as the system has it until it is switched.
function themes() {
  $("#theme")?.addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `repmon_theme=${root.dataset.theme}; Path=/console; Max-Age=31536000; SameSite=Strict${secure}`;
  });
}

// A table that is kept up to date: the server sends the rows that changed, and their order.
const count = new Intl.NumberFormat("en");
let source = null;
function live() {
  const table = $("#live");
  if (!table || source || document.hidden) return;
  const at = table.dataset.version ? table.dataset.live.replace(/version=\d+$/, `version=${table.dataset.version}`) : table.dataset.live;
  source = new EventSource(at);
  source.onmessage = (event) => {
    const news = JSON.parse(event.data);
    table.dataset.version = news.version;
    if (table.dataset.reload) return news.order.length ? location.reload() : undefined;
    show(table, news);
  };
  source.addEventListener("signed-out", () => { $("#signed-out").hidden = false; pause(); fresh("old"); });
  source.onopen = () => fresh($("#down")?.hidden === false ? "old" : "live");
  // Refused, as after a restart: the browser does not ask again by itself.
  source.onerror = () => { fresh("old"); if (source?.readyState === EventSource.CLOSED) $("#cut-off").hidden = false; };
}
function pause() { source?.close(); source = null; }
function fresh(state) { const mark = $("#fresh"); if (mark) mark.dataset.state = state; }

function show(table, news) {
  const body = table.tBodies[0], focused = document.activeElement?.closest("tr")?.id;
  const holder = document.createElement("tbody"), before = new Map([...body.rows].map((row) => [row.id, row]));
  let next = body.firstElementChild;
  for (const id of news.order) {
    let row = before.get(id);
    if (id in news.rows) {
      holder.innerHTML = news.rows[id];
      const made = holder.firstElementChild;
      made.classList.add("changed");
      times(made);
      if (row) { if (next === row) next = made; row.replaceWith(made); }
      row = made;
    }
    if (!row) continue;
    before.delete(id);
    if (row === next) next = next.nextElementSibling; else body.insertBefore(row, next);
  }
  for (const gone of before.values()) gone.remove();
  if (focused) $("a", document.getElementById(focused) ?? holder)?.focus({ preventScroll: true });
  if ($("#notes").innerHTML !== news.notes) $("#notes").innerHTML = news.notes;
  for (const each of all("[data-count]")) each.textContent = count.format(news.counts[each.dataset.count] ?? 0);
  const sum = Object.values(news.counts).reduce((a, b) => a + b, 0);
  if ($("#fleet-size")) $("#fleet-size").textContent = count.format(sum);
  for (const each of all("#read, #down-age")) each.dateTime = new Date(news.read).toISOString();
  times(document);
  $("#down").hidden = !news.failing;
  fresh(news.failing ? "old" : "live");
}

// Keys: rows, pages, search, help.
let first = "";
function keys(event) {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key === "Escape" && typing) return typing.blur();
  if (typing || event.ctrlKey || event.metaKey || event.altKey || $("dialog[open]")) return;
  const links = all("main tbody a.customer, main tbody a.row");
  const here = links.findIndex((each) => each.closest("tr") === document.activeElement?.closest("tr"));
  const to = (which) => { const link = links[Math.max(0, Math.min(links.length - 1, which))]; link?.focus(); link?.scrollIntoView({ block: "nearest" }); };
  const follow = (which) => { const link = $(which); if (link) location.href = link.href; };
  const was = first;
  first = event.key === "g" ? "g" : "";
  if (was === "g" && event.key === "f") location.href = "/console/";
  else if (event.key === "/") ($("#search") ?? $("input[type=search]"))?.focus();
  else if (event.key === "?") $("#help")?.showModal();
  else if (event.key === "j") to(here + 1);
  else if (event.key === "k") to(here < 0 ? 0 : here - 1);
  else if (event.key === "n") follow("a[rel=next]");
  else if (event.key === "p") follow("a[rel=prev]");
  else return;
  event.preventDefault();
}

document.addEventListener("DOMContentLoaded", () => {
  times(document);
  axes(document);
  fields();
  again();
  typed();
  themes();
  live();
  setInterval(() => times(document), 15000);
  document.addEventListener("keydown", keys);
  $("#help-open")?.addEventListener("click", () => $("#help").showModal());
  // A browser has six connections to a server: a page that nobody sees holds none.
  document.addEventListener("visibilitychange", () => document.hidden ? (pause(), fresh("paused")) : live());
  for (const each of all("form.filters select, form.filters input[type=checkbox]")) {
    each.addEventListener("change", () => each.form.requestSubmit());
  }
});
