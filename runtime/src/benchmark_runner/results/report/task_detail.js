// The part of a task that is shown when it is opened. Tasks are packed by so many.
class TaskDetails {
  constructor(size) {
    this.size = size;
    this.blocks = document.querySelectorAll("script.texts");
    this.number = -1;
  }

  async of(place) {
    const number = Math.floor(place / this.size);
    if (number !== this.number) {
      this.part = unpack(this.blocks[number].textContent);
      this.number = number;
    }
    return (await this.part)[place % this.size];
  }

  async fill(cell, row) {
    let detail;
    try {
      detail = await this.of(row.place);
    } catch {
      cell.textContent = "This browser can't unpack the texts; a newer one can. They are in the run's folder, too.";
      return;
    }
    cell.replaceChildren(...contentOf(detail, row.id, "h3"));
    for (const repeat of detail.repeats ?? []) cell.append(repeatOf(repeat, row.id));
  }
}

// Its texts are made when it is opened.
function repeatOf(repeat, id) {
  const made = element("details", { class: "repeat" }, element("summary", { text: repeat.title }));
  const fill = () => made.append(...contentOf(repeat, `${id}, ${repeat.title}`, "h4"));
  made.addEventListener("toggle", fill, { once: true });
  return made;
}

function contentOf(detail, of, heading) {
  const facts = element("dl", { class: "facts small" });
  for (const [name, fact] of detail.facts) {
    facts.append(element("dt", { text: name }), element("dd", { text: fact }));
  }
  for (const [name, link, text] of detail.links) {
    facts.append(element("dt", { text: name }), element("dd", {}, element("a", { href: link, text })));
  }
  const made = [facts];
  for (const [name, head, leftOut, tail] of detail.texts) {
    const text = element("pre", { tabindex: "0", "aria-label": `${name} of ${of}`, role: "region" }, head);
    if (leftOut) text.append(leftOutOf(leftOut, detail.whole), tail);
    made.push(element(heading, { text: name }), head === "" ? element("p", { class: "soft", text: "Empty" }) : text);
  }
  if (detail.transcript) made.push(element(heading, { text: "Transcript" }), transcriptOf(detail.transcript, of));
  return made;
}

function leftOutOf(count, whole) {
  const note = `… ${count.toLocaleString("en")} characters left out; the whole is in ${whole} …`;
  return element("span", { class: "left-out", text: `\n\n${note}\n\n` });
}
