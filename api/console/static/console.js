// What pages do by themselves. They work without it: then times are UTC, and one reloads.
"use strict";

const $ = (which, inside = document) => inside.querySelector(which);
const all = (which, inside = document) => [...inside.querySelectorAll(which)];

// Times in the viewer's zone; UTC stands in the title.
const zone = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const age = (s) => s < 60 ? `${Math.floor(s)} s` : s < 3600 ? `${Math.floor(s / 60)} min`
  : s < 172800 ? `${(s / 3600).toFixed(1)} h` : `${(s / 86400).toFixed(1)} d`;
function times(inside) {
  for (const each of all("time[datetime]", inside)) {
    const at = new Date(each.dateTime);
    if (isNaN(at)) continue;
    each.textContent = "age" in each.dataset ? age(Math.max(0, (Date.now() - at) / 1000)) : zone.format(at);
  }
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

document.addEventListener("DOMContentLoaded", () => {
  times(document);
  themes();
});
