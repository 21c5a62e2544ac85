// Parts of pages that are asked for again: <div data-refresh="ADDRESS" data-every="SECONDS">. They work without it: then
// one reloads. An answer without content says that it is over, and the page is loaded again.
"use strict";

for (const part of document.querySelectorAll("[data-refresh]")) {
  const every = 1000 * Number(part.dataset.every || 5);
  let asking = false;
  const ask = async () => {
    if (asking || document.hidden) return;
    asking = true;
    try {
      const answer = await fetch(part.dataset.refresh, { headers: { Accept: "text/html" }, cache: "no-store" });
      if (answer.status === 204 || answer.status === 401) return location.reload();
      if (answer.ok) {
        part.innerHTML = await answer.text();
        times(part); // of console.js, which is loaded before
      }
      part.toggleAttribute("data-old", !answer.ok);
    } catch {
      part.toggleAttribute("data-old", true);
    } finally {
      asking = false;
    }
  };
  setInterval(ask, every);
  document.addEventListener("visibilitychange", ask);
}

// All boxes of a table at once.
for (const box of document.querySelectorAll("input[data-all]")) {
  box.addEventListener("change", () => {
    for (const each of document.querySelectorAll(`input[name="${box.dataset.all}"]`)) each.checked = box.checked;
  });
}

// Who ticks somebody means those who are ticked.
document.addEventListener("change", (event) => {
  const chosen = event.target.form?.querySelector('input[name="of"][value="chosen"]');
  if (chosen && event.target.type === "checkbox") chosen.checked = true;
});

// From a mistake to its line in the draft.
for (const link of document.querySelectorAll("[data-line]")) {
  link.addEventListener("click", (event) => {
    const draft = document.getElementById("draft");
    if (!draft) return;
    event.preventDefault();
    const lines = draft.value.split("\n"), at = Number(link.dataset.line) - 1;
    const start = lines.slice(0, at).join("\n").length + (at ? 1 : 0);
    draft.focus();
    draft.setSelectionRange(start, start + (lines[at] || "").length);
    draft.scrollTop = Math.max(0, (at - 4) * draft.scrollHeight / Math.max(1, lines.length));
  });
}
