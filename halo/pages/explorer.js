"use strict";
// The map of a fit's bins and the chemistry of those that are chosen: nothing is fetched, all numbers stand in the page.
for (const root of document.querySelectorAll(".explorer")) {
  const one = (selector) => root.querySelector(selector);
  const data = JSON.parse(one(".explorer-data").textContent);
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
  const KINDS = { u2: Uint16Array, u4: Uint32Array, f4: Float32Array };
  const numbers = (packed) => new KINDS[packed.kind](bytes(packed.data));
  const { pixels, planes, names, colours, stars, limits } = data;
  const k = names.length, side = pixels * pixels, n = side * planes, m = stars.length;
  const W = numbers(data.W), H = numbers(data.H);
  const filled = numbers(data.filled), columns = numbers(data.columns), values = numbers(data.values);
  const first = new Uint32Array(m + 1);
  for (let i = 0; i < m; i++) first[i + 1] = first[i] + filled[i];

  const plot = one(".plot"), outer = plot.ownerSVGElement, box = one(".box");
  const bins = [...root.querySelectorAll(".bin")];
  const canvases = [...root.querySelectorAll("canvas")];
  const place = bins.map((bin) => ["x", "y", "width", "height"].map((name) => bin[name].baseVal.value));
  const centre = place.map(([x, y, w, h]) => [x + w / 2, y + h / 2]);
  const size = plot.viewBox.baseVal.width;
  const whole = (x) => Math.round(x).toLocaleString("en");
  const brief = (x) => (Math.abs(x) >= 100 ? whole(x) : String(+x.toPrecision(3)));
  const chosen = new Set();
  let current = 0, images = [], view = [0, 0, size, size], lit = -1;

  function outline(name, some) {
    const path = [...some].map((i) => "M" + place[i].slice(0, 2) + "h" + place[i][2] + "v" + place[i][3] + "h" + -place[i][2] + "z").join("");
    for (const mark of root.querySelectorAll(".mark." + name)) mark.setAttribute("d", path);
  }

  // chemistry

  const MARKED = [224, 112, 0];

  function summed() {
    const some = chosen.size ? [...chosen] : bins.map((_, i) => i);
    const shown = [new Float64Array(n), ...names.map(() => new Float64Array(n))];
    let number = 0;
    const weight = new Float64Array(k);
    for (const i of some) {
      number += stars[i];
      for (let at = first[i]; at < first[i + 1]; at++) shown[0][columns[at]] += values[at];
      for (let j = 0; j < k; j++) weight[j] += W[i * k + j];
    }
    for (let j = 0; j < k; j++) for (let p = 0; p < n; p++) shown[j + 1][p] = weight[j] * H[j * n + p];
    return { shown, number, weight, bins: some.length };
  }

  function shade(colour, t) {
    // from white over the colour to a dark shade of it, as in the figures
    const full = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
    return full.map((c) => (t < 0.5 ? 255 + 2 * t * (c - 255) : c * (1 - 1.3 * (t - 0.5))));
  }

  function paint(canvas, image, most, colour, own = []) {
    // `own`: columns of this plane, marked as those of the bin that is pointed at
    const context = canvas.getContext("2d"), picture = context.createImageData(pixels, pixels), marked = new Set(own);
    for (let y = 0; y < pixels; y++) for (let x = 0; x < pixels; x++) {
      const value = image[y * pixels + x], at = 4 * ((pixels - 1 - y) * pixels + x);
      const rgb = marked.has(y * pixels + x) ? MARKED : shade(colour, most > 0 ? Math.sqrt(Math.max(value, 0) / most) : 0);
      for (let c = 0; c < 3; c++) picture.data[at + c] = rgb[c];
      picture.data[at + 3] = 255;
    }
    context.putImageData(picture, 0, 0);
  }

  const largest = (x) => x.reduce((a, b) => Math.max(a, b), 0);
  const total = (x) => x.reduce((a, b) => a + b, 0);

  function columnsOf(i, plane) {
    if (i < 0) return [];
    return [...columns.subarray(first[i], first[i + 1])].filter((c) => c >= plane * side && c < (plane + 1) * side).map((c) => c - plane * side);
  }

  function light(i) {
    if (i === lit) return;
    lit = i;
    for (const canvas of canvases) if (canvas.dataset.part === "0") {
      const p = +canvas.dataset.plane, image = images[0].subarray(p * side, (p + 1) * side);
      paint(canvas, image, largest(image), "#666666", columnsOf(lit, p));
    }
  }

  function show() {
    const found = summed(), fitted = total(found.weight);
    images = found.shown;
    root.shown = images;
    bins.forEach((bin, i) => bin.setAttribute("aria-selected", String(chosen.has(i))));
    outline("chosen", chosen);
    const parts = names.map((name, j) => `${name} ${fitted ? (100 * found.weight[j] / fitted).toFixed(1) : "0"} %`);
    const what = chosen.size ? `${found.bins} of ${m} bins chosen` : `All ${m} bins (none chosen)`;
    one(".explorer-said").textContent =
      `${what}: ${whole(found.number)} stars, counted ${brief(total(images[0]))} times in the planes. Fitted: ${parts.join(", ")}.`;
    for (const canvas of canvases) {
      const p = +canvas.dataset.plane, part = +canvas.dataset.part;
      const of = (j) => images[j].subarray(p * side, (p + 1) * side);
      const most = part ? Math.max(...names.map((_, j) => largest(of(j + 1)))) : largest(of(0));
      const name = part ? `${names[part - 1]}, fitted` : "stars", sum = total(of(part));
      paint(canvas, of(part), most, part ? colours[part - 1] : "#666666", part ? [] : columnsOf(lit, p));
      canvas.dataset.sum = sum;
      canvas.setAttribute("aria-label", `${name}: histogram with the sum ${brief(sum)}`);
      canvas.nextElementSibling.textContent = `${name}: ${brief(sum)}`;
    }
  }

  function choose(some, add) {
    if (!add) chosen.clear();
    for (const i of some) chosen.add(i);
    show();
  }

  function toggle(i) {
    if (!chosen.delete(i)) chosen.add(i);
    show();
  }

  // the map's view

  function ticks(low, high) {
    const raw = (high - low) / 4, ten = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((x) => x * ten).find((x) => x >= raw), found = [];
    for (let i = Math.ceil(low / step); i * step <= high; i++) found.push(+(i * step).toPrecision(6));
    return found;
  }

  function zoom(next) {
    const width = Math.min(Math.max(next[2], size / 40), size), height = Math.min(Math.max(next[3], size / 40), size);
    const x = next[0] + (next[2] - width) / 2, y = next[1] + (next[3] - height) / 2;
    view = [Math.min(Math.max(x, 0), size - width), Math.min(Math.max(y, 0), size - height), width, height];
    plot.setAttribute("viewBox", view.join(" "));
    const [x0, x1, y0, y1] = limits, group = one(".ticks");
    const left = plot.x.baseVal.value, top = plot.y.baseVal.value, inner = plot.width.baseVal.value;
    const across = [x0 + (x1 - x0) * view[0] / size, x0 + (x1 - x0) * (view[0] + view[2]) / size];
    const up = [y1 - (y1 - y0) * (view[1] + view[3]) / size, y1 - (y1 - y0) * view[1] / size];
    group.replaceChildren();
    const write = (value, x, y, anchor) => {
      const text = document.createElementNS(outer.namespaceURI, "text");
      text.textContent = String(value).replace("-", "\u2212");
      for (const [name, v] of Object.entries({ x, y, "text-anchor": anchor })) text.setAttribute(name, v);
      group.append(text);
    };
    for (const v of ticks(...across)) write(v, left + inner * (v - across[0]) / (across[1] - across[0]), top + inner + 18, "middle");
    if (data.upright) for (const v of ticks(...up)) write(v, left - 6, top + inner * (up[1] - v) / (up[1] - up[0]) + 4, "end");
  }

  function by(factor, [x, y] = [view[0] + view[2] / 2, view[1] + view[3] / 2]) {
    zoom([x - (x - view[0]) * factor, y - (y - view[1]) * factor, view[2] * factor, view[3] * factor]);
  }

  function around(some) {
    const low = [0, 1].map((c) => Math.min(...some.map((i) => place[i][c])));
    const high = [0, 1].map((c) => Math.max(...some.map((i) => place[i][c] + place[i][c + 2])));
    const room = [0, 1].map((c) => 0.15 * (high[c] - low[c]));
    zoom([low[0] - room[0], low[1] - room[1], high[0] - low[0] + 2 * room[0], high[1] - low[1] + 2 * room[1]]);
  }

  function go(i) {
    bins[current].tabIndex = -1;
    bins[(current = i)].tabIndex = 0;
    bins[i].focus({ preventScroll: true });
    const [x, y] = centre[i];
    if (x < view[0] || x > view[0] + view[2] || y < view[1] || y > view[1] + view[3])
      zoom([x - view[2] / 2, y - view[3] / 2, view[2], view[3]]);
  }

  function next(dx, dy) {
    // the nearest bin in that direction: how far along it, and three times how far beside it
    let best = current, least = Infinity;
    centre.forEach(([x, y], i) => {
      const along = (x - centre[current][0]) * dx + (y - centre[current][1]) * dy;
      const beside = Math.abs((x - centre[current][0]) * dy) + Math.abs((y - centre[current][1]) * dx);
      if (along > 1e-6 && beside <= along * 2 + 1 && along + 3 * beside < least) [best, least] = [i, along + 3 * beside];
    });
    return best;
  }

  const under = (text, there = []) => {
    one(".explorer-under").textContent = text || "\u00a0";
    const marked = new Set(there);
    bins.forEach((bin, i) => bin.classList.toggle("there", marked.has(i)));
    outline("there", there);
  };
  const inside = (event) => {
    const at = plot.getScreenCTM().inverse();
    return [at.a * event.clientX + at.e, at.d * event.clientY + at.f];
  };

  // pointer

  let from = null, dragged = false, moving = false;
  const fingers = new Map();
  const spread = () => {
    const all = [...fingers.values()], middle = [0, 1].map((c) => all.reduce((s, f) => s + f[c], 0) / all.length);
    return [...middle, all.length > 1 ? Math.hypot(all[0][0] - all[1][0], all[0][1] - all[1][1]) : 0];
  };
  plot.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    if (moving) {
      fingers.set(event.pointerId, [event.clientX, event.clientY]);
      plot.setPointerCapture(event.pointerId);
      return;
    }
    from = { at: inside(event), x: event.clientX, y: event.clientY, bin: bins.indexOf(event.target) };
    dragged = false;
  });
  plot.addEventListener("pointermove", (event) => {
    if (!fingers.has(event.pointerId)) return;
    const [x0, y0, wide] = spread();
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    const [x1, y1, wider] = spread(), at = plot.getScreenCTM().inverse();
    zoom([view[0] - at.a * (x1 - x0), view[1] - at.d * (y1 - y0), view[2], view[3]]);
    if (wide && wider) by(wide / wider, inside({ clientX: x1, clientY: y1 }));
  });
  for (const end of ["pointerup", "pointercancel"]) plot.addEventListener(end, (event) => fingers.delete(event.pointerId));
  addEventListener("pointermove", (event) => {
    if (!from || event.pointerType === "touch") return;
    if (Math.hypot(event.clientX - from.x, event.clientY - from.y) > 4) dragged = true;
    if (!dragged) return;
    const at = inside(event);
    for (const [name, c] of [["x", 0], ["y", 1]]) box.setAttribute(name, Math.min(at[c], from.at[c]));
    for (const [name, c] of [["width", 0], ["height", 1]]) box.setAttribute(name, Math.abs(at[c] - from.at[c]));
  });
  addEventListener("pointercancel", () => (from = null));
  addEventListener("pointerup", (event) => {
    if (!from) return;
    const start = from, at = inside(event), add = event.shiftKey || event.ctrlKey || event.metaKey;
    from = null;
    for (const name of ["width", "height"]) box.setAttribute(name, 0);
    if (dragged) {
      const within = (x, c) => x >= Math.min(at[c], start.at[c]) && x <= Math.max(at[c], start.at[c]);
      choose(bins.map((_, i) => i).filter((i) => within(centre[i][0], 0) && within(centre[i][1], 1)), add);
    } else if (start.bin >= 0) {
      go(start.bin);
      if (event.pointerType === "touch" || add) toggle(start.bin);
      else choose([start.bin]);
    }
  });
  plot.addEventListener("pointerover", (event) => {
    const i = bins.indexOf(event.target);
    if (i < 0) return;
    under(bins[i].getAttribute("aria-label"));
    light(i);
  });
  plot.addEventListener("pointerleave", () => {
    under("");
    light(-1);
  });
  plot.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    by(event.deltaY > 0 ? 1.25 : 0.8, inside(event));
  }, { passive: false });

  // keyboard

  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  plot.addEventListener("keydown", (event) => {
    const key = event.key;
    if (ARROWS[key]) {
      if (event.shiftKey) choose([current], true);
      go(next(...ARROWS[key]));
      if (event.shiftKey) choose([current], true);
    } else if (key === "Enter" || key === " ") toggle(current);
    else if (key === "Escape") choose([]);
    else if (key === "Home" || key === "End") go(key === "Home" ? 0 : m - 1);
    else if (key.toLowerCase() === "a" && (event.ctrlKey || event.metaKey)) choose(bins.map((_, i) => i));
    else if (key === "+" || key === "=") by(0.8, centre[current]);
    else if (key === "-") by(1.25);
    else if (key === "0") zoom([0, 0, size, size]);
    else return;
    event.preventDefault();
  });
  bins.forEach((bin, i) => bin.addEventListener("focus", () => {
    under(bin.getAttribute("aria-label"));
    light(i);
    outline("here", bin.matches(":focus-visible") ? [i] : []);
  }));
  bins.forEach((bin) => bin.addEventListener("blur", () => {
    light(-1);
    outline("here", []);
  }));

  // planes: what is in a pixel, and which bins have it

  function point(canvas, x, y) {
    const p = +canvas.dataset.plane, column = p * side + y * pixels + x, there = [];
    for (let i = 0; i < m; i++)
      for (let at = first[i]; at < first[i + 1]; at++) if (columns[at] === column) there.push(i);
    const [X, Y] = data.axes[p], middle = (axis, i) => brief(axis.low + (i + 0.5) * (axis.high - axis.low) / pixels);
    const parts = names.map((name, j) => `${name} ${brief(images[j + 1][column])}`).join(", ");
    under(`${X.label} ${middle(X, x)}, ${Y.label} ${middle(Y, y)}: ${brief(images[0][column])} counted, fitted ${parts}; ` +
      `${there.length} bins have stars here, outlined in the map`, there);
  }
  for (const canvas of canvases) {
    canvas.addEventListener("pointermove", (event) => {
      const frame = canvas.getBoundingClientRect(), clip = (t) => Math.min(Math.max(Math.floor(t * pixels), 0), pixels - 1);
      point(canvas, clip((event.clientX - frame.left) / frame.width), clip(1 - (event.clientY - frame.top) / frame.height));
    });
    canvas.addEventListener("pointerleave", () => under(""));
    // a screen reader reads bins by their labels, and of pixels what stands beneath
    canvas.addEventListener("focus", () => one(".explorer-under").setAttribute("aria-hidden", "false"));
    canvas.addEventListener("blur", () => {
      under("");
      one(".explorer-under").setAttribute("aria-hidden", "true");
    });
    const at = [pixels >> 1, pixels >> 1];
    canvas.addEventListener("keydown", (event) => {
      if (!ARROWS[event.key]) return;
      const [dx, dy] = ARROWS[event.key];
      at[0] = Math.min(Math.max(at[0] + dx, 0), pixels - 1);
      at[1] = Math.min(Math.max(at[1] - dy, 0), pixels - 1);
      point(canvas, ...at);
      event.preventDefault();
    });
  }

  const ACTS = {
    all: () => choose(bins.map((_, i) => i)),
    in: () => by(0.8),
    out: () => by(1.25),
    chosen: () => around(chosen.size ? [...chosen] : bins.map((_, i) => i)),
    whole: () => zoom([0, 0, size, size]),
    move: () => (moving = outer.classList.toggle("moving")),
  };
  for (const button of root.querySelectorAll("[data-do]")) button.addEventListener("click", () => {
    ACTS[button.dataset.do]();
    if (button.hasAttribute("aria-pressed")) button.setAttribute("aria-pressed", String(moving));
  });
  for (const hidden of root.querySelectorAll("[hidden]")) hidden.hidden = false;
  for (const title of root.querySelectorAll(".bin title")) title.remove(); // said beside the map instead
  show();
}
