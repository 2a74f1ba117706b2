"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (selector) => document.querySelector(selector);

  // Filter: a test is shown if its outcome is checked, it uses the chosen service and its text contains all words.
  const form = one("#filter");
  const tests = all("article[data-test], tr[data-test]");
  const bars = all(".bar[data-test]");
  const failureText = new Map(all("article[data-test]").map((each) => [each.dataset.test, each.textContent.toLowerCase()]));
  const rowText = new Map(all("tr[data-test]").map((each) => [each.dataset.test, each.textContent.toLowerCase()]));
  function filter() {
    const words = one("#q").value.toLowerCase().split(/\s+/).filter(Boolean);
    const outcomes = new Set(all("input[name=outcome]:checked", form).map((each) => each.value));
    const service = one("#service") ? one("#service").value : "";
    const matching = new Set();
    for (const row of all("tr[data-test]")) {
      const id = row.dataset.test;
      const text = rowText.get(id) + " " + (failureText.get(id) || "");
      const fits = outcomes.has(row.dataset.outcome)
        && (!service || row.dataset.services.split(" ").includes(service))
        && words.every((word) => text.includes(word));
      if (fits) matching.add(id);
    }
    for (const each of tests) each.hidden = !matching.has(each.dataset.test);
    for (const bar of bars) bar.classList.toggle("dim", !matching.has(bar.dataset.test));
    for (const lane of all(".lane[data-service]")) lane.classList.toggle("dim", service !== "" && service !== lane.dataset.service);
    for (const section of all("#failures, #tests")) {
      one("#" + section.id + " .nothing").hidden = all("[data-test]", section).some((each) => !each.hidden);
    }
    one("#shown").textContent = matching.size === rowText.size
      ? `${rowText.size} tests` : `${matching.size} of ${rowText.size} tests`;
  }
  if (form) {
    form.addEventListener("input", filter);
    form.addEventListener("change", filter);
    form.addEventListener("reset", () => setTimeout(filter));
    form.addEventListener("submit", (event) => event.preventDefault());
    filter();
  }

  // Sort the table of tests.
  const order = { error: 0, failed: 1, unfinished: 2, xpassed: 3, xfailed: 4, skipped: 5, passed: 6 };
  const keys = {
    outcome: (row) => order[row.dataset.outcome],
    name: (row) => row.querySelector(".name").textContent,
    start: (row) => Number(row.dataset.start),
    seconds: (row) => Number(row.dataset.seconds),
  };
  for (const button of all("[data-sort]")) {
    button.addEventListener("click", () => {
      const head = button.parentElement;
      const down = head.getAttribute("aria-sort") === "ascending"
        || (head.getAttribute("aria-sort") === "none" && button.dataset.sort === "seconds");
      for (const each of all("th[aria-sort]")) each.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = keys[button.dataset.sort];
      const body = one("#test-table tbody");
      const rows = all("tr", body).map((row) => [key(row), row]);
      rows.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0) * (down ? -1 : 1));
      body.append(...rows.map(([, row]) => row));
    });
  }

  // Open what a link points to, and move the focus there.
  function reveal() {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    if (target.hidden && form) { form.reset(); filter(); }
    const details = target.matches("details") ? target : target.querySelector(":scope > details");
    if (details) details.open = true;
    target.scrollIntoView();
    if (target.hasAttribute("tabindex")) target.focus({ preventScroll: true });
  }
  addEventListener("hashchange", reveal);
  reveal();

  // Keys: filter, next and previous failure.
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    if (event.key === "/" && form) { event.preventDefault(); one("#q").focus(); }
    if (event.key === "n" || event.key === "p") {
      const shown = all("article[data-test]").filter((each) => !each.hidden);
      const here = shown.findIndex((each) => each.contains(document.activeElement));
      const next = shown[event.key === "n" ? here + 1 : Math.max(0, here < 0 ? 0 : here - 1)];
      if (next) { next.querySelector("details").open = true; next.focus(); next.scrollIntoView(); }
    }
  });

  // Copy a command.
  for (const button of all("[data-copy]")) {
    button.addEventListener("click", async () => {
      const code = button.previousElementSibling;
      getSelection().selectAllChildren(code);
      try { await navigator.clipboard.writeText(button.dataset.copy); } catch { document.execCommand("copy"); }
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
  }

  // Timeline: the chart is as wide as the zoom says; the browser scrolls it. Positions are percentages.
  const chart = one("#chart"), scroller = one("#scroller"), ticks = one("#ticks"), tip = one("#tip");
  const seconds = Number(chart.dataset.seconds) || 1;
  const steps = [.1, .2, .5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 3600];
  let zoom = 1;
  const clock = (at, step) => at >= 60
    ? `${Math.floor(at / 60)}:${(at % 60).toFixed(step < 1 ? 1 : 0).padStart(step < 1 ? 4 : 2, "0")}`
    : `${at.toFixed(step < 1 ? 1 : 0)} s`;
  function drawTicks() {
    const step = steps.find((each) => each / seconds * chart.clientWidth > 75) || 3600;
    const height = chart.getAttribute("height");
    const make = (name, values) => {
      const element = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, value] of Object.entries(values)) element.setAttribute(key, value);
      return element;
    };
    ticks.replaceChildren();
    for (let number = 0; number * step <= seconds && number < 2000; number++) {
      const x = `${(number * step / seconds * 100).toFixed(4)}%`;
      const text = make("text", { x, y: 14 });
      text.textContent = clock(number * step, step);
      ticks.append(make("line", { x1: x, x2: x, y1: 20, y2: height }), text);
    }
  }
  function setZoom(value, middle) {
    const at = middle ?? (scroller.scrollLeft + scroller.clientWidth / 2) / chart.clientWidth;
    zoom = Math.min(400, Math.max(1, value));
    chart.style.width = `${zoom * 100}%`;
    scroller.scrollLeft = at * chart.clientWidth - scroller.clientWidth / 2;
    drawTicks();
  }
  function zoomTo(from, to) {
    setZoom(seconds / Math.max(to - from, seconds / 400) * .96, (from + to) / 2 / seconds);
  }
  for (const button of all("[data-zoom]")) {
    button.addEventListener("click", () => {
      const kind = button.dataset.zoom;
      if (kind === "in") setZoom(zoom * 1.6);
      else if (kind === "out") setZoom(zoom / 1.6);
      else if (kind === "all") setZoom(1);
      else zoomTo(Number(button.dataset.from), Number(button.dataset.to));
    });
  }
  scroller.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    const at = (scroller.scrollLeft + event.clientX - scroller.getBoundingClientRect().left) / chart.clientWidth;
    setZoom(zoom * (event.deltaY < 0 ? 1.25 : .8), at);
  }, { passive: false });
  addEventListener("resize", drawTicks);
  drawTicks();

  function showTip(item) {
    const label = item && item.getAttribute("aria-label");
    tip.hidden = !label;
    if (!label) return;
    tip.textContent = label;
    const box = item.getBoundingClientRect();
    const left = Math.max(box.left, scroller.getBoundingClientRect().left);
    tip.style.left = `${Math.max(4, Math.min(left, innerWidth - tip.offsetWidth - 8))}px`;
    tip.style.top = box.bottom + tip.offsetHeight + 8 > innerHeight ? `${box.top - tip.offsetHeight - 6}px` : `${box.bottom + 6}px`;
  }
  chart.addEventListener("mouseover", (event) => showTip(event.target.closest(".bar, .mark")));
  chart.addEventListener("mouseleave", () => showTip(null));
  chart.addEventListener("focusin", (event) => showTip(event.target.closest(".bar, .mark")));
  chart.addEventListener("focusout", () => showTip(null));

  // One stop for the Tab key; arrow keys move inside.
  const rows = all(".lane", chart).map((lane) => all(".bar, .mark", lane)).filter((items) => items.length);
  if (rows.length) rows[0][0].setAttribute("tabindex", "0");
  function go(item) {
    for (const each of all("[tabindex='0']", chart)) each.setAttribute("tabindex", "-1");
    item.setAttribute("tabindex", "0");
    item.focus({ preventScroll: true });
    const box = item.getBoundingClientRect(), frame = scroller.getBoundingClientRect();
    if (box.left < frame.left || box.right > frame.right) scroller.scrollLeft += box.left - frame.left - frame.width / 3;
    item.scrollIntoView({ block: "nearest", inline: "nearest" });
    showTip(item);
  }
  chart.addEventListener("keydown", (event) => {
    const row = rows.findIndex((items) => items.includes(event.target));
    if (row < 0) return;
    const column = rows[row].indexOf(event.target);
    const left = event.target.getBoundingClientRect().left;
    const nearest = (items) => items && items.reduce((a, b) =>
      Math.abs(b.getBoundingClientRect().left - left) < Math.abs(a.getBoundingClientRect().left - left) ? b : a);
    const moves = {
      ArrowRight: () => go(rows[row][Math.min(column + 1, rows[row].length - 1)]),
      ArrowLeft: () => go(rows[row][Math.max(column - 1, 0)]),
      ArrowDown: () => rows[row + 1] && go(nearest(rows[row + 1])),
      ArrowUp: () => row > 0 && go(nearest(rows[row - 1])),
      Home: () => go(rows[row][0]),
      End: () => go(rows[row][rows[row].length - 1]),
      "+": () => setZoom(zoom * 1.6), "-": () => setZoom(zoom / 1.6), 0: () => setZoom(1),
      Escape: () => showTip(null),
    };
    if (moves[event.key]) { event.preventDefault(); moves[event.key](); }
  });
})();
