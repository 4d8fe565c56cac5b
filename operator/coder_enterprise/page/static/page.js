// What the page does beyond links and forms: it stays up to date, and is at home on a keyboard. Without it, all is
// there, as of when the page was opened.
"use strict";

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
document.documentElement.classList.add("scripted");

// Up to date: the stream says that something is new, and the page is read again; what has a data-live is replaced
// where it differs. While a person looks away nothing is asked.

const SILENCE = 40_000; // milliseconds; a sign of life comes every 15 seconds
const live = $("#live");
let seen = document.body.dataset.seen;
let stream = null, silence = 0, retry = 0, reading = false, again = false, pause = 0;

function mark(broken, text) {
  live.hidden = false;
  live.classList.toggle("broken", broken);
  if ($("span", live).textContent !== text) $("span", live).textContent = text;
}

function listen() {
  hush();
  if (document.hidden) return;
  const about = document.body.dataset.about.split(" ").filter(Boolean).slice(0, 200);
  const query = new URLSearchParams([["seen", seen], ...about.map((key) => ["about", key])]);
  stream = new EventSource(`/live?${query}`);
  for (const type of ["hello", "beat", "changed"]) stream.addEventListener(type, heard);
  stream.onerror = ended;
  alive();
}

// A stream does not say why it ended; the page does.
async function ended() {
  lost("not up to date: the operator does not answer");
  const answer = await fetch(location.href, { method: "HEAD", cache: "no-store", redirect: "manual" }).catch(() => null);
  if (answer && over(answer)) out();
}

const over = (answer) => answer.status === 401 || answer.type === "opaqueredirect";

function out() {
  hush();
  mark(true, "your session has ended");
  $("#again").hidden = false; // to this very page, which leads to signing in, and that leads back
}

function heard(event) {
  retry = 0;
  alive();
  if (event.type === "changed") read();
  else if (!reading) mark(false, "live");
}

function alive() {
  clearTimeout(silence);
  silence = setTimeout(() => lost("not up to date: the connection is silent"), SILENCE);
}

function lost(text) {
  hush();
  mark(true, text);
  retry = Math.min(30_000, (retry || 500) * 2);
  silence = setTimeout(listen, retry * (0.75 + Math.random() / 2));
}

function hush() {
  clearTimeout(silence);
  if (stream) stream.close();
  stream = null;
}

async function read(extra = false) {
  if (reading) return void (again = true);
  reading = true;
  const begun = performance.now();
  try {
    const answer = await fetch(location.href, { cache: "no-store", redirect: "manual" });
    if (over(answer)) return out();
    if (answer.status !== 200 && answer.status !== 404) throw new Error(`status ${answer.status}`);
    take(new DOMParser().parseFromString(await answer.text(), "text/html"));
    mark(false, "live");
    if (!extra) later();
  } catch {
    return lost("not up to date: the operator does not answer");
  } finally {
    // A page that is slow to make is asked for less often.
    pause = Math.min(10_000, 4 * (performance.now() - begun));
    setTimeout(() => {
      reading = false;
      if (again) { again = false; read(); }
    }, pause);
  }
}

// Kubernetes hears of an event a moment after the object has changed.
let delay = 0;

function later() {
  clearTimeout(delay);
  if ($("[data-late]")) delay = setTimeout(() => stream && read(true), 3_000);
}

function take(fresh) {
  seen = fresh.body.dataset.seen;
  document.body.dataset.about = fresh.body.dataset.about;
  const names = (root) => $$("[data-live]", root).map((each) => each.dataset.live).join(" ");
  if (names(document) !== names(fresh)) replace($("#main"), $("#main", fresh));
  for (const old of $$("[data-live]")) {
    const other = $(`[data-live="${CSS.escape(old.dataset.live)}"]`, fresh);
    if (other && plain(old) !== plain(other) && !old.contains(editing())) replace(old, other, true);
  }
  const clock = $("[data-clock]", fresh);
  if (clock) $("[data-clock]").replaceWith(document.adoptNode(clock));
  ages();
}

const editing = () => (document.activeElement?.matches("input, select, textarea") ? document.activeElement : null);

// How long ago something was is told by the clock, and is no news; nor is what a person has opened or chosen.
function plain(element) {
  const copy = element.cloneNode(true);
  for (const time of $$("time", copy)) time.textContent = "";
  for (const open of $$("details[open]", copy)) open.removeAttribute("open");
  for (const here of $$(".here", copy)) here.classList.remove("here");
  for (const each of [copy, ...$$("[class='']", copy)]) {
    each.classList.remove("new");
    if (!each.className) each.removeAttribute("class");
  }
  return copy.outerHTML;
}

function replace(old, fresh, tell = false) {
  const open = $$("details[open]", old).map((each) => each.id);
  const focus = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  const at = $(".here a", old)?.getAttribute("href");
  fresh = document.adoptNode(fresh);
  old.replaceWith(fresh);
  for (const id of open) if (id && document.getElementById(id)) document.getElementById(id).open = true;
  const same = (href) => href && $(`a[href="${CSS.escape(href)}"]`, fresh);
  same(focus)?.focus();
  same(at)?.closest("[data-row]")?.classList.add("here");
  if (tell) fresh.classList.add("new");
}

// Ages grow without the server.

const UNITS = [["d", 86_400], ["h", 3_600], ["min", 60], ["s", 1]];

function ages() {
  for (const time of $$("time:not([data-clock], [data-date])")) {
    const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(time.dateTime)) / 1000));
    const [unit, length] = UNITS.find(([, length]) => seconds >= length) ?? UNITS.at(-1);
    const text = `${Math.floor(seconds / length)} ${unit}`;
    if (time.textContent !== text) time.textContent = text;
  }
}

// The keyboard

let going = 0;

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.key === "Escape" && editing()) return editing().blur();
  if (editing() || $("dialog[open]")) return;
  const act = Date.now() - going < 1000 ? GO[event.key] : KEYS[event.key];
  going = 0;
  if (act) {
    event.preventDefault();
    act();
  }
}

const GO = { o: () => (location.href = "/"), l: () => (location.href = "/objects") };
const KEYS = {
  "/": () => ["focus", "select"].forEach((act) => $(".find input")[act]()),
  "?": () => $("#keys").showModal(),
  j: () => move(1),
  k: () => move(-1),
  g: () => (going = Date.now()),
  Enter: () => (document.activeElement?.matches("a, button, summary") ? document.activeElement : $(".here a"))?.click(),
};

function move(step) {
  const rows = $$("[data-row]");
  if (!rows.length) return;
  const at = rows.findIndex((row) => row.classList.contains("here"));
  const next = rows[Math.max(0, Math.min(rows.length - 1, at < 0 ? 0 : at + step))];
  if (at >= 0) rows[at].classList.remove("here");
  next.classList.add("here");
  next.scrollIntoView({ block: "nearest" });
  $("a", next)?.focus({ preventScroll: true });
}

// As the form would, without what is not chosen.
function choose(form) {
  if (!form) return;
  const chosen = [...new FormData(form)].filter(([, value]) => value);
  location.href = `${form.getAttribute("action")}?${new URLSearchParams(chosen)}`;
}

function shade() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  document.cookie = `theme=${root.dataset.theme}; path=/; max-age=31536000; SameSite=Strict`;
}

document.addEventListener("keydown", pressed);
document.addEventListener("change", (event) => choose(event.target.closest(".filters")));
document.addEventListener("visibilitychange", () => (document.hidden ? hush() : listen()));
document.addEventListener("pagehide", hush);
window.addEventListener("pageshow", (event) => event.persisted && listen());
for (const [id, act] of [["#theme", shade], ["#help", KEYS["?"]]]) {
  $(id).hidden = false;
  $(id).addEventListener("click", act);
}
setInterval(() => document.hidden || ages(), 5_000);
ages();
listen();
