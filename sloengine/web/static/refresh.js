// Fetches the page that is shown every ten seconds and puts its main part in place: no flash, no lost scroll position. When the console can't be
// reached it says so, since a page that silently stands still would show the past as the present.
"use strict";
(() => {
  const PERIOD_MS = 10000;
  const connection = document.getElementById("connection");
  const pause = document.getElementById("pause");
  let paused = false;
  let reached = Date.now();

  const say = (text, lost) => {
    if (connection.textContent !== text) connection.textContent = text;
    document.body.classList.toggle("lost", lost);
  };

  const place = (html) => {
    const fresh = new DOMParser().parseFromString(html, "text/html");
    const main = fresh.getElementById("page");
    if (!main) throw new Error("no page of the console");
    const old = document.getElementById("page");
    // Exchanging text that somebody has selected would take it out of their hands; it waits, and says so.
    if (String(document.getSelection()).length > 0) return false;
    const focusable = (root) => [...root.querySelectorAll("a, summary, .scroll")];
    const focused = focusable(old).indexOf(document.activeElement);
    const scrolled = [...old.querySelectorAll(".scroll")].map((e) => e.scrollLeft);
    const open = [...old.querySelectorAll("details")].map((e) => e.open);
    old.replaceWith(document.adoptNode(main));
    main.querySelectorAll(".scroll").forEach((e, i) => { e.scrollLeft = scrolled[i] || 0; });
    main.querySelectorAll("details").forEach((e, i) => { e.open = Boolean(open[i]); });
    if (focused >= 0) focusable(main)[focused]?.focus({ preventScroll: true });
    document.title = fresh.title;
    return true;
  };

  const refresh = async () => {
    if (paused || document.hidden) return;
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(PERIOD_MS) });
      if (!answer.ok) throw new Error(String(answer.status));
      if (place(await answer.text())) {
        reached = Date.now();
        say("", false);
      } else say("Refresh waits while text is selected", false);
    } catch {
      say(`Can't reach the engine: this is ${Math.round((Date.now() - reached) / 1000)} s old`, true);
    }
  };

  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? "Resume refresh" : "Pause refresh";
    say(paused ? "Paused: figures stand still" : "", false);
    if (!paused) refresh();
  });
  document.addEventListener("visibilitychange", refresh);
  setInterval(refresh, PERIOD_MS);
})();
