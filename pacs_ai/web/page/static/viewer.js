// The images of a study: scroll, choose a class, set opacity and window. No library, no build step.
"use strict";

const PRESETS = {
  CT: [["Soft tissue", 40, 400], ["Lung", -600, 1500], ["Bone", 400, 1800], ["Brain", 40, 80]],
};
const AS_STATED = "as the image says", ALL_VALUES = "all values", OWN = "own";
const DRAG_PIXELS = 400; // a drag of this length changes the window by the whole range

function element(name) {
  return document.getElementById(`v-${name}`);
}

class Viewer {
  constructor(study) {
    this.study = study;
    [this.series, this.place] = study.start;
    this.layer = 0;
    this.window = null; // { centre, width }; null: as the image says
    this.range = null; // what the server says of the values of the series
    this.loading = null; // address of the picture that is under way
    this.canvases = ["source", "over"].map(name => element(name).querySelector("canvas"));
    this.heat = element("heat");
    this.listen();
    this.showSeries();
    this.showLayer();
  }

  get pictures() { return this.study.series[this.series].pictures; }
  get key() { return this.pictures[this.place]; }
  get heats() { return this.study.layers.length ? this.study.layers[this.layer].over : {}; }

  listen() {
    const on = (name, event, act) => element(name)?.addEventListener(event, act);
    on("series", "change", e => { this.series = Number(e.target.value); this.place = 0; this.showSeries(); });
    on("slice", "input", e => this.go(Number(e.target.value) - 1));
    on("layer", "change", e => { this.layer = Number(e.target.value); this.showLayer(); });
    on("opacity", "input", () => this.showOpacity());
    on("next", "click", () => this.goToHeat());
    on("preset", "change", () => this.choosePreset());
    for (const name of ["centre", "width"]) on(name, "change", () => this.readWindow());
    for (const name of ["source", "over"]) {
      const stage = element(name);
      stage.addEventListener("wheel", e => this.wheel(e), { passive: false });
      stage.addEventListener("keydown", e => this.press(e));
      stage.addEventListener("pointerdown", e => this.drag(e));
    }
    this.heat.addEventListener("error", () => { this.heat.hidden = true; element("note").textContent = "The heat map cannot be shown."; });
  }

  // ---- which image

  go(place) {
    const last = this.pictures.length - 1;
    this.place = Math.max(0, Math.min(last, place));
    this.showPlace();
  }

  wheel(event) {
    event.preventDefault();
    this.go(this.place + Math.sign(event.deltaY));
  }

  press(event) {
    const steps = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1, PageUp: -10, PageDown: 10,
      Home: -Infinity, End: Infinity };
    if (!(event.key in steps) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.go(this.place + steps[event.key]);
  }

  goToHeat() {
    const all = this.study.series.flatMap((one, series) => one.pictures.map((key, place) => ({ key, series, place })));
    const here = all.findIndex(one => one.series === this.series && one.place === this.place);
    const next = [...all.slice(here + 1), ...all.slice(0, here + 1)].find(one => one.key in this.heats);
    if (!next) return;
    if (next.series === this.series) return this.go(next.place);
    this.series = next.series;
    this.place = next.place;
    element("series").value = String(this.series);
    this.showSeries();
  }

  showSeries() {
    const series = this.study.series[this.series];
    const slice = element("slice");
    slice.max = String(series.pictures.length);
    slice.disabled = series.pictures.length === 1;
    this.window = null;
    this.range = null;
    element("window").hidden = !series.windows;
    const names = [AS_STATED, ALL_VALUES, ...(PRESETS[series.modality] ?? []).map(one => one[0]), OWN];
    element("preset").replaceChildren(...names.map(name => new Option(name)));
    this.writeWindow();
    if (series.windows) this.askRange(this.key);
    this.showPlace();
  }

  showPlace() {
    const place = `${this.place + 1} of ${this.pictures.length}`;
    const slice = element("slice");
    slice.value = String(this.place + 1);
    slice.setAttribute("aria-valuetext", place);
    element("place").textContent = place;
    element("name").textContent = this.study.series[this.series].names[this.place];
    for (const canvas of this.canvases) canvas.setAttribute("aria-label", `Image ${place}`);
    this.load();
    this.showHeat();
  }

  // One picture is under way at a time: whoever scrolls fast gets the last one, not all of them.
  load() {
    const { base } = this.study;
    const window = this.window ? `?centre=${this.window.centre}&width=${this.window.width}` : "";
    this.wanted = `${base}/images/${this.key}${window}`;
    if (this.loading || this.wanted === this.shown) return;
    const address = this.loading = this.wanted;
    document.getElementById("viewer").setAttribute("aria-busy", "true");
    const picture = new Image();
    const done = fault => {
      this.loading = null;
      this.shown = address;
      element("fault").textContent = fault ? "This image cannot be shown." : "";
      this.draw(fault ? null : picture);
      document.getElementById("viewer").setAttribute("aria-busy", "false");
      this.load();
    };
    picture.addEventListener("load", () => done(false));
    picture.addEventListener("error", () => done(true));
    picture.src = address;
  }

  draw(picture) {
    for (const canvas of this.canvases) {
      canvas.width = picture?.naturalWidth ?? 1;
      canvas.height = picture?.naturalHeight ?? 1;
      if (picture) canvas.getContext("2d").drawImage(picture, 0, 0);
      canvas.closest(".stage").style.setProperty("--ratio", String(canvas.width / canvas.height));
      canvas.dataset.shown = picture ? this.shown : "";
    }
  }

  // ---- the heat map

  showLayer() {
    const layer = this.study.layers[this.layer];
    if (!layer) return;
    element("opacity").value = layer.opaque ? "100" : layer.decision === "absent" ? "30" : "60";
    this.showHeat();
    this.showOpacity();
  }

  showHeat() {
    if (!this.study.layers.length) return;
    const overlay = this.heats[this.key];
    const { title, decision } = this.study.layers[this.layer];
    const absent = decision === "absent" ? " The class is absent: the map shows what came nearest." : "";
    this.heat.hidden = !overlay;
    if (overlay) this.heat.src = `${this.study.base}/overlays/${overlay}`;
    this.heat.alt = overlay ? `Heat map of ${title}` : "";
    const count = Object.keys(this.heats).length;
    element("note").textContent = overlay ? `Heat map of ${title}: the lighter, the more it counts.${absent}`
      : `No heat map of ${title} on this image; ${count} ${count === 1 ? "image has" : "images have"} one.`;
  }

  showOpacity() {
    const percent = element("opacity").value;
    this.heat.style.opacity = String(percent / 100);
    element("percent").textContent = `${percent} %`;
  }

  // ---- the window

  async askRange(key) {
    const answer = await fetch(`${this.study.base}/images/${key}/window`);
    const found = answer.ok ? await answer.json() : {};
    if (!this.pictures.includes(key)) return; // another series was chosen meanwhile
    this.range = "width" in found ? found : null;
    this.writeWindow();
  }

  choosePreset() {
    const name = element("preset").value;
    const preset = (PRESETS[this.study.series[this.series].modality] ?? []).find(one => one[0] === name);
    if (name === AS_STATED) this.setWindow(null);
    else if (name === ALL_VALUES && this.range) {
      const { low, high } = this.range;
      this.setWindow({ centre: (low + high) / 2, width: Math.max(high - low, 1e-6) });
    } else if (preset) this.setWindow({ centre: preset[1], width: preset[2] });
  }

  readWindow() {
    const [centre, width] = ["centre", "width"].map(name => parseFloat(element(name).value));
    if (!Number.isFinite(centre) || !(width > 0)) return;
    element("preset").value = OWN;
    this.setWindow({ centre, width });
  }

  setWindow(window) {
    this.window = window;
    this.writeWindow();
    this.load();
  }

  writeWindow() {
    const shown = this.window ?? this.range;
    const written = number => shown ? String(Number(number.toPrecision(6))) : "";
    element("centre").value = shown ? written(shown.centre) : "";
    element("width").value = shown ? written(shown.width) : "";
    element("units").textContent = this.range?.units ?? "";
  }

  drag(event) {
    const stage = event.currentTarget;
    if (event.pointerType !== "mouse" || event.button !== 0 || !this.range) return;
    stage.setPointerCapture(event.pointerId);
    const from = this.window ?? this.range;
    const step = Math.max(this.range.high - this.range.low, 1e-6) / DRAG_PIXELS;
    const move = e => {
      const width = Math.max(step, from.width + (e.clientX - event.clientX) * step);
      element("preset").value = OWN;
      this.setWindow({ centre: from.centre + (e.clientY - event.clientY) * step, width });
    };
    const end = () => stage.removeEventListener("pointermove", move);
    stage.addEventListener("pointermove", move);
    stage.addEventListener("pointerup", end, { once: true });
    stage.addEventListener("pointercancel", end, { once: true });
  }
}

const study = JSON.parse(document.getElementById("v-data").textContent);
if (study.series.length) new Viewer(study);
