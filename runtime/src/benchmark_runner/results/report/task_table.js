// The table of tasks.
const PAGE = 100;
const PRINTED = 1000;
const SCORED = "scored";
// The kinds of columns that hold words.
const WORDS = ["text", "state", "strip"];

class TaskTable {
  constructor(data) {
    this.columns = [{ label: "Task", kind: "text" }, ...data.columns];
    // Of each row: its place, what is searched, its heading's texts and its values.
    this.rows = data.rows.map(([id, preview, error, ...values], place) => ({
      place,
      id,
      preview,
      values: [id, ...values],
      searched: [id, preview, error, ...values.filter((value) => typeof value === "string")].join("\n").toLowerCase(),
    }));
    this.state = this.columns.findIndex((column) => column.kind === "state");
    this.strip = this.columns.findIndex((column) => column.kind === "strip");
    this.spread = this.columns.findIndex((column) => column.kind === "spread");
    this.scores = this.columns.flatMap((column, place) => (column.kind === "score" ? [place] : []));
    const known = this.rows.flatMap((row) => this.scores.map((place) => row.values[place]));
    this.level = levels(known.filter((value) => typeof value === "number"));
    if (this.state >= 0) this.tellLevels();
    if (this.strip >= 0) this.readStrips();
    this.details = new TaskDetails(data.part);
    this.found = this.rows;
    this.sorting = { column: -1, ascending: true };
    this.filters = new Map();
    this.first = 0;
    this.printing = matchMedia("print").matches;
    // The lines of the opened tasks by their places: what is open in them stays so.
    this.opened = new Map();
    this.body = document.querySelector("#tasks tbody");
    this.said = document.getElementById("found");
    this.search = document.getElementById("search");
    this.headings = [];
    this.setUp();
    this.choose();
  }

  setUp() {
    const head = document.querySelector("#tasks thead tr");
    this.columns.forEach((column, place) => {
      const button = element("button", { type: "button", text: column.label });
      button.addEventListener("click", () => this.sort(place));
      const heading = element("th", { scope: "col", class: this.classOf(column) }, button);
      this.headings.push(heading);
      head.append(heading);
      if (column.filter) this.addFilter(column, place);
    });
    if (this.spread >= 0) this.addFlakyFirst();
    this.search.addEventListener("input", () => {
      clearTimeout(this.waiting);
      this.waiting = setTimeout(() => this.choose(), 120);
    });
    document.getElementById("reset").addEventListener("click", () => this.reset());
    document.getElementById("previous").addEventListener("click", () => this.turn(-PAGE));
    document.getElementById("next").addEventListener("click", () => this.turn(PAGE));
    matchMedia("print").addEventListener("change", (media) => {
      this.printing = media.matches;
      this.show();
    });
    document.addEventListener("click", (event) => {
      const link = event.target.closest?.("a[data-task]");
      if (!link) return;
      event.preventDefault();
      this.goTo(link.dataset.task);
    });
    this.addLegend();
    document.getElementById("table-tools").hidden = false;
    document.getElementById("without-script").hidden = true;
  }

  // A scored task says how much it scored: "scored: full".
  tellLevels() {
    for (const row of this.rows) {
      const [state, score] = [row.values[this.state], row.values[this.scores[0]]];
      row.mark = MARKS[state] ?? (typeof score === "number" ? this.level(score) : "scored");
      if (state !== SCORED || row.mark === "scored") continue;
      row.values[this.state] = `${SCORED}: ${row.mark}`;
      row.searched += `\n${row.values[this.state]}`;
    }
  }

  // Of each row: the marks of its repeats, and their words for the search.
  readStrips() {
    const share = !this.rows.some((row) => row.values[this.strip].includes("S"));
    for (const row of this.rows) {
      row.strip = stripOf(row.values[this.strip], share);
      row.values[this.strip] = row.strip.map(([, text]) => text).join(", ");
      row.searched += `\n${row.values[this.strip]}`;
    }
  }

  addFlakyFirst() {
    const button = element("button", { type: "button", text: "Flaky first" });
    button.addEventListener("click", () => {
      this.sorting = { column: this.spread, ascending: false };
      this.choose();
    });
    document.getElementById("reset").before(button);
  }

  // The repeats of a task may each end in another way: it is found by any of them.
  addStripFilter(column, place) {
    const isFlaky = (row) => row.values[this.spread] > 1e-9;
    const choices = [["flaky", this.spread >= 0 ? isFlaky : () => false]];
    for (const [name, text] of Object.values(STRIP)) choices.push([`any ${text}`, (row) => row.strip.some(([mark]) => mark === name)]);
    const fitting = choices.map(([name, fits]) => [name, this.rows.filter(fits).length, fits]).filter(([, of]) => of);
    this.addSelect(column, place, fitting);
  }

  addFilter(column, place) {
    if (place === this.strip) return this.addStripFilter(column, place);
    const counts = new Map();
    const count = (value) => counts.set(value, (counts.get(value) ?? 0) + 1);
    for (const row of this.rows) count(row.values[place] ?? "");
    const parts = place === this.state ? [...counts].filter(([value]) => value.startsWith(`${SCORED}: `)) : [];
    const fits = (value) => (row) => (row.values[place] ?? "") === value;
    const choices = [...counts].map(([value, of]) => [value || "(none)", of, fits(value)]);
    if (parts.length > 1) {
      const all = parts.reduce((sum, [, of]) => sum + of, 0);
      choices.unshift([SCORED, all, (row) => row.values[place].startsWith(SCORED)]);
    }
    this.addSelect(column, place, choices);
  }

  addSelect(column, place, choices) {
    const select = element("select", {}, element("option", { value: "", text: "All" }));
    choices.forEach(([name, of], number) => {
      select.append(element("option", { value: String(number), text: `${name} (${of})` }));
    });
    select.addEventListener("change", () => {
      if (select.value === "") this.filters.delete(place);
      else this.filters.set(place, choices[Number(select.value)][2]);
      this.choose();
    });
    document.getElementById("reset").before(element("label", {}, column.label, select));
  }

  addLegend() {
    const used = new Set();
    for (const row of this.rows) {
      if (row.strip) row.strip.forEach(([name]) => used.add(name));
      else if (row.mark) used.add(row.mark);
      else for (const place of this.scores) used.add(this.markOf(row.values[place]));
    }
    const legend = document.getElementById("legend");
    const names = this.strip >= 0 ? Object.values(STRIP) : Object.entries(LEGEND);
    for (const [name, text] of names) {
      if (used.has(name)) legend.append(element("li", {}, mark(name, text)));
    }
  }

  markOf(value) {
    return typeof value === "number" ? this.level(value) : MARKS[value] ?? "";
  }

  classOf(column) {
    const numeric = !WORDS.includes(column.kind);
    const kind = column.kind === "strip" ? "repeats" : numeric ? "num" : "";
    return [kind, column.wide ? "wide" : ""].join(" ").trim();
  }

  sort(place) {
    const same = this.sorting.column === place;
    this.sorting = { column: place, ascending: same ? !this.sorting.ascending : true };
    this.choose();
  }

  choose() {
    const searched = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const filters = [...this.filters.values()];
    this.found = this.rows.filter(
      (row) =>
        searched.every((word) => row.searched.includes(word)) &&
        filters.every((fits) => fits(row)),
    );
    const { column, ascending } = this.sorting;
    if (column >= 0) {
      const sign = ascending ? 1 : -1;
      const words = WORDS.includes(this.columns[column].kind);
      const { compare } = new Intl.Collator("en", { numeric: true });
      this.found.sort((one, other) => {
        const [a, b] = [one.values[column], other.values[column]];
        // What is not known comes last, whichever way.
        const [noA, noB] = words ? [a === null, b === null] : [typeof a !== "number", typeof b !== "number"];
        if (noA || noB) return noA - noB || one.place - other.place;
        return sign * (words ? compare(a, b) : a - b) || one.place - other.place;
      });
    }
    this.headings.forEach((heading, place) => {
      if (place === column) heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      else heading.removeAttribute("aria-sort");
    });
    this.first = 0;
    this.show();
  }

  reset() {
    clearTimeout(this.waiting);
    this.search.value = "";
    this.filters.clear();
    for (const select of document.querySelectorAll("#filters select")) select.value = "";
    this.choose();
  }

  turn(by) {
    this.first = Math.max(0, Math.min(this.first + by, this.found.length - 1));
    this.show();
    document.getElementById("tasks").scrollIntoView();
  }

  show() {
    const first = this.printing ? 0 : this.first;
    const last = Math.min(first + (this.printing ? PRINTED : PAGE), this.found.length);
    const lines = document.createDocumentFragment();
    for (const row of this.found.slice(first, last)) {
      lines.append(this.line(row));
      if (this.opened.has(row.place)) lines.append(this.opened.get(row.place));
    }
    this.body.replaceChildren(lines);
    const all = this.rows.length.toLocaleString("en");
    const found = this.found.length.toLocaleString("en");
    const of = this.found.length === this.rows.length ? `${all} ${all === "1" ? "task" : "tasks"}` : `${found} of ${all} tasks`;
    const part = last - first < this.found.length ? `, ${(first + 1).toLocaleString("en")} to ${last.toLocaleString("en")} shown` : "";
    this.said.textContent = this.found.length ? of + part : `No task of ${all} fits`;
    document.getElementById("previous").disabled = first === 0;
    document.getElementById("next").disabled = last >= this.found.length;
    document.getElementById("pages").hidden = this.found.length <= PAGE;
  }

  line(row) {
    const open = this.opened.has(row.place);
    const button = element("button", {
      type: "button",
      class: "open",
      text: row.id,
      "aria-expanded": String(open),
      "data-place": row.place,
    });
    button.addEventListener("click", () => this.toggle(row, button));
    const heading = element("th", { scope: "row" }, button);
    if (row.preview) heading.append(element("span", { class: "preview small soft any", text: row.preview }));
    const line = element("tr", { class: "task" }, heading);
    row.values.slice(1).forEach((value, place) => {
      const column = this.columns[place + 1];
      const cell = element("td", { class: this.classOf(column) });
      if (column.kind === "state") {
        cell.append(mark(row.mark, value));
      } else if (column.kind === "strip") {
        const marks = row.strip.map(([name]) => element("span", { class: `mark ${name}`, "aria-hidden": "true" }));
        cell.append(element("span", { class: "strip", title: value }, ...marks, element("span", { class: "unseen", text: value })));
      } else if (column.kind === "score" && this.state < 0 && this.strip < 0) {
        cell.append(mark(this.markOf(value), typeof value === "number" ? format.score(value) : value));
      } else if (value !== null) {
        cell.textContent = typeof value === "number" ? format[column.kind](value) : value;
        // A word where there is no number.
        if (typeof value === "string" && column.kind !== "text") cell.classList.add("soft", "small");
      }
      line.append(cell);
    });
    return line;
  }

  toggle(row, button) {
    const line = button.closest("tr");
    if (this.opened.delete(row.place)) {
      line.nextElementSibling.remove();
    } else {
      this.open(row);
      line.after(this.opened.get(row.place));
    }
    button.setAttribute("aria-expanded", String(this.opened.has(row.place)));
  }

  open(row) {
    if (this.opened.has(row.place)) return;
    const cell = element("td", { class: "detail", colspan: this.columns.length, text: "…" });
    this.details.fill(cell, row);
    this.opened.set(row.place, element("tr", {}, cell));
  }

  goTo(id) {
    const row = this.rows.find((each) => each.id === id);
    if (!row) return;
    this.sorting = { column: -1, ascending: true };
    this.open(row);
    this.reset();
    this.first = Math.floor(row.place / PAGE) * PAGE;
    this.show();
    const button = this.body.querySelector(`[data-place="${row.place}"]`);
    button.scrollIntoView({ block: "center" });
    button.focus({ preventScroll: true });
  }
}

