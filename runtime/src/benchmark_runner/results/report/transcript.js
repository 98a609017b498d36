// The transcript of a task: its steps, with filters. Nothing here reads a text as HTML either.
const STEPS = 50;
const KEYS = [
  ["j", "next step"],
  ["k", "previous step"],
  ["f", "next failed call"],
  ["/", "search"],
  ["Enter", "open or close"],
];

function button(text, act, properties = {}) {
  const made = element("button", { type: "button", text, ...properties });
  made.addEventListener("click", act);
  return made;
}

function labelled(text, control, properties = {}) {
  return element("label", properties, text, control);
}

const isFailed = (part) => part.failed;

class Transcript {
  constructor(sections, of) {
    this.sections = sections;
    this.came = [];
    this.section = element("select");
    sections.forEach(({ title }, place) => this.section.append(element("option", { value: String(place), text: title })));
    this.tool = element("select");
    this.search = element("input", { type: "search", autocomplete: "off", spellcheck: "false" });
    this.failed = element("input", { type: "checkbox" });
    this.failures = labelled("Only failed calls", this.failed, { class: "check" });
    this.all = button("", () => this.turnAll());
    this.back = button("", () => this.goBack());
    this.about = element("div");
    this.said = element("p", { class: "soft small", role: "status" });
    this.list = element("ol", { class: "steps" });
    this.before = button(`Previous ${STEPS} steps`, () => this.turn(-STEPS));
    this.after = button(`Next ${STEPS} steps`, () => this.turn(STEPS));
    this.pages = element("div", { class: "pages" }, this.before, this.after);
    const sectionLabel = labelled("Agent", this.section);
    sectionLabel.hidden = sections.length < 2;
    const tools = element("div", { class: "tools" }, sectionLabel, labelled("Tool", this.tool));
    tools.append(labelled("Text", this.search, { class: "search" }), this.failures, this.all, this.back);
    const keys = element("p", { class: "soft small keys" }, "Keys, while the focus is here:");
    for (const [key, meaning] of KEYS) keys.append(" ", element("kbd", { text: key }), ` ${meaning}`);
    this.root = element("div", { class: "transcript", role: "region", "aria-label": `Transcript of ${of}` });
    this.root.append(tools, keys, this.about, this.said, this.list, this.pages);
    this.listen();
    this.choose(0);
  }

  listen() {
    this.section.addEventListener("change", () => {
      this.came = [];
      this.choose(Number(this.section.value));
    });
    this.tool.addEventListener("change", () => this.filter());
    this.failed.addEventListener("change", () => this.filter());
    this.search.addEventListener("input", () => {
      clearTimeout(this.waiting);
      this.waiting = setTimeout(() => this.filter(), 120);
    });
    this.search.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.isComposing) return;
      this.filter();
      this.goTo(0);
    });
  }

  // Letters are keys only where nothing is typed or chosen by them.
  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input:not([type=checkbox]), select")) return;
    const acts = {
      j: () => this.goTo(this.following()),
      k: () => this.goTo(Math.max(this.following() - 2, this.here() < 0 ? this.first : 0)),
      f: () => this.goToFailed(),
      "/": () => this.search.focus(),
    };
    const act = Object.hasOwn(acts, event.key) ? acts[event.key] : null;
    if (!act) return;
    event.preventDefault();
    act();
  }

  choose(place) {
    this.place = place;
    this.section.value = String(place);
    const section = this.sections[place];
    this.steps = section.steps.map((step, number) => ({ ...step, place: number, tools: (step.parts ?? []).filter((part) => part.name) }));
    this.isOpen = true;
    this.turned = new Set();
    const facts = element("dl", { class: "facts small" });
    for (const [name, fact] of section.facts) facts.append(element("dt", { text: name }), element("dd", { text: fact }));
    facts.append(element("dt", { text: "File" }), element("dd", { text: section.whole }));
    this.about.replaceChildren(facts, ...section.notes.map((text) => element("p", { class: "left-out", text })));
    this.addTools();
    clearTimeout(this.waiting);
    this.search.value = "";
    this.failed.checked = false;
    this.failures.hidden = !this.steps.some((step) => this.hasFailed(step));
    this.back.hidden = this.came.length === 0;
    if (this.came.length) this.back.textContent = `Back to ${this.sections[this.came.at(-1)[0]].title}`;
    this.filter();
  }

  addTools() {
    const counts = new Map();
    for (const { name, kind, failed } of this.steps.flatMap((step) => step.tools)) {
      const count = counts.get(name) ?? [0, 0];
      counts.set(name, [count[0] + (kind === "call"), count[1] + failed]);
    }
    this.tool.replaceChildren(element("option", { value: "", text: "All steps" }));
    this.names = [...counts.keys()];
    [...counts.values()].forEach(([calls, failed], place) => {
      const text = `${this.names[place]} (${calls}${failed ? `, ${failed} failed` : ""})`;
      this.tool.append(element("option", { value: String(place), text }));
    });
    this.tool.parentElement.hidden = counts.size === 0;
  }

  hasFailed(step) {
    return (step.parts ?? []).some(isFailed);
  }

  filter() {
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const tool = this.tool.value === "" ? null : this.names[Number(this.tool.value)];
    this.found = this.steps.filter((step) => {
      const calls = step.tools.filter((call) => call.name === tool);
      if (tool !== null && calls.length === 0) return false;
      if (this.failed.checked && !(tool === null ? this.hasFailed(step) : calls.some(isFailed))) return false;
      return words.every((word) => this.searched(step).includes(word));
    });
    this.first = 0;
    this.show();
  }

  searched(step) {
    step.words ??= JSON.stringify(step.parts ?? []).toLowerCase();
    return step.words;
  }

  show() {
    const last = Math.min(this.first + STEPS, this.found.length);
    this.list.replaceChildren(...this.found.slice(this.first, last).map((step) => this.line(step)));
    const count = (steps) => steps.reduce((sum, { gap }) => sum + (gap ?? 1), 0).toLocaleString("en");
    const [all, found, first] = [count(this.steps), count(this.found), (this.first + 1).toLocaleString("en")];
    const noun = all === "1" ? "step" : "steps";
    const of = found === all ? `${all} ${noun}` : `${found} of ${all} ${noun}`;
    const part = this.found.length > STEPS ? `, ${first} to ${last.toLocaleString("en")} shown` : "";
    this.said.textContent = this.found.length ? of + part : `No step of ${all} fits`;
    this.pages.hidden = this.found.length <= STEPS;
    this.before.disabled = this.first === 0;
    this.after.disabled = last >= this.found.length;
    this.all.textContent = this.isOpen ? "Close all" : "Open all";
  }

  turn(by) {
    this.first = Math.max(0, Math.min(this.first + by, this.found.length - 1));
    this.show();
    this.said.scrollIntoView();
  }

  turnAll() {
    this.isOpen = !this.isOpen;
    this.turned.clear();
    this.show();
  }

  // The place of the focus among the steps that are found; -1 outside of them.
  here() {
    const step = document.activeElement.closest("[data-step]");
    return step ? this.found.findIndex(({ place }) => String(place) === step.dataset.step) : -1;
  }

  following() {
    const here = this.here();
    return here < 0 ? this.first : here + 1;
  }

  goTo(number) {
    if (number >= this.found.length) return;
    const first = number - (number % STEPS);
    if (first !== this.first) {
      this.first = first;
      this.show();
    }
    const line = this.list.children[number - first];
    const heading = line.querySelector("summary") ?? line;
    heading.focus({ preventScroll: true });
    line.scrollIntoView({ block: "start" });
  }

  goToFailed() {
    const from = this.following();
    const next = this.found.findIndex((step, place) => place >= from && this.hasFailed(step));
    if (next >= 0) this.goTo(next);
  }

  goBack() {
    const [section, step] = this.came.pop();
    this.choose(section);
    this.goTo(step);
  }

  goToSection(place, step) {
    this.came.push([this.place, step.place]);
    this.choose(place);
    this.back.focus();
  }

  line(step) {
    if (step.gap) {
      const text = `… ${step.gap.toLocaleString("en")} steps left out; all are in ${this.sections[this.place].whole} …`;
      return element("li", { class: "left-out", tabindex: "-1", "data-step": step.place, text });
    }
    const failures = step.parts.filter(isFailed).length;
    const failed = failures ? [mark("failed", failures > 1 ? `${failures} failed` : "failed")] : [];
    const summary = element(
      "summary",
      {},
      element("span", { class: "number", text: step.number }),
      element("b", { text: step.source }),
      ...failed,
      element("span", { class: "soft small", text: step.facts.join(" · ") }),
      element("span", { class: "brief soft small any", text: this.brief(step) }),
    );
    const made = element("details", { class: ["user", "system", "agent"].includes(step.source) ? step.source : "" }, summary);
    // The content is made when it is seen first.
    const fill = () => made.children.length > 1 || made.append(...step.parts.map((part) => partOf(part, step, this)));
    if (this.isOpen !== this.turned.has(step.place)) {
      made.open = true;
      fill();
    }
    made.addEventListener("toggle", () => {
      if (made.open) fill();
      if (made.open === this.isOpen) this.turned.delete(step.place);
      else this.turned.add(step.place);
    });
    return element("li", { "data-step": step.place }, made);
  }

  brief(step) {
    const message = step.parts.find((part) => part.kind === "message")?.text[0] ?? "";
    return [...step.tools.map((call) => call.name), message.slice(0, 200)].filter(Boolean).join(" · ");
  }
}
