// Fetches the page every ten seconds and puts its main part in place: no flash, no lost scroll position. When the console can't be
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
    if (!main) throw new Error("not the overview");
    const old = document.getElementById("page");
    const scrolled = [...old.querySelectorAll(".scroll")].map((e) => e.scrollLeft);
    const open = [...old.querySelectorAll("details")].map((e) => e.open);
    const focused = document.activeElement && old.contains(document.activeElement);
    // Replacing what somebody is reading with the keyboard or has selected would take it out of their hands.
    if (focused || String(document.getSelection()).length > 0) return;
    old.replaceWith(document.adoptNode(main));
    main.querySelectorAll(".scroll").forEach((e, i) => { e.scrollLeft = scrolled[i] || 0; });
    main.querySelectorAll("details").forEach((e, i) => { e.open = Boolean(open[i]); });
    document.title = fresh.title;
  };

  const refresh = async () => {
    if (paused || document.hidden) return;
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(PERIOD_MS) });
      if (!answer.ok) throw new Error(String(answer.status));
      place(await answer.text());
      reached = Date.now();
      say("", false);
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
