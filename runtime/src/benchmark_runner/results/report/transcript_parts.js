// The parts of a step of a transcript: its message, its reasoning, its calls with their results.
// Longer texts are shortened until somebody asks for all.
const SHORT = { characters: 1500, lines: 16 };
// A value of so many characters is beside its name.
const LINE = 80;

function partOf(part, step, transcript) {
  const whole = transcript.sections[transcript.place].whole;
  if (part.kind === "message") return textOf(part.text, whole, "div");
  if (part.kind === "reasoning") {
    const count = part.text[0].length + (part.text[1] ?? 0) + (part.text[2] ?? "").length;
    const summary = element("summary", { text: `Reasoning, ${count.toLocaleString("en")} characters` });
    const made = element("details", { class: "reasoning" }, summary);
    made.addEventListener("toggle", () => made.append(textOf(part.text, whole, "div")), { once: true });
    return made;
  }
  if (part.kind === "result") return element("div", { class: "call" }, ...resultOf(part, step, transcript, whole));
  const failed = part.failed ? [" ", mark("failed", "failed")] : [];
  const made = element("div", { class: "call" }, element("p", {}, element("span", { class: "soft small", text: "Call " }), element("b", { class: "any", text: part.name }), ...failed));
  for (const [name, text] of part.arguments) made.append(...argumentOf(name, text, whole));
  for (const result of part.results) made.append(...resultOf(result, step, transcript, whole));
  return made;
}

function argumentOf(name, text, whole) {
  const heading = element("p", { class: "any" }, element("span", { class: "soft small", text: name }));
  const isLine = text.length === 1 && text[0] !== "" && text[0].length <= LINE && !text[0].includes("\n");
  if (!isLine) return [heading, textOf(text, whole)];
  heading.append(" ", element("code", { text: text[0] }));
  return [heading];
}

function resultOf(result, step, transcript, whole) {
  const of = result.name ? `Result of ${result.name}` : "Result";
  const heading = element("p", { class: "soft small any" }, result.failed ? mark("failed", `${of}: failed`) : of);
  const links = result.subagents.filter(Boolean).map((name) => subagentOf(name, step, transcript));
  const text = result.text[0] === "" && links.length ? [] : [textOf(result.text, whole)];
  return [heading, ...text, ...links];
}

// Trajectories refer to others by an id, or by a path from where they are.
function subagentOf(name, step, transcript) {
  const { sections, place: own } = transcript;
  const fits = [(each) => each === name, (each) => each.endsWith(`/${name}`) || name.endsWith(`/${each}`)];
  const places = fits.map((fit) => sections.findIndex(({ names }, place) => place !== own && names.some(fit)));
  const place = places.find((each) => each >= 0);
  if (place === undefined) return element("p", { class: "soft small any", text: `Subagent ${name}` });
  return button(`Open ${sections[place].title}`, () => transcript.goToSection(place, step));
}

function textOf([head, leftOut, tail], whole, kind = "pre") {
  if (head === "") return element("p", { class: "soft small", text: "Empty" });
  const text = element(kind, { class: kind === "pre" ? "" : "said" }, head);
  if (leftOut) text.append(leftOutOf(leftOut, whole), tail);
  const length = head.length + (tail ?? "").length;
  if (length <= SHORT.characters && head.split("\n", SHORT.lines + 1).length <= SHORT.lines) return text;
  text.classList.add("short");
  const more = button("Show all", () => {
    const isShort = text.classList.toggle("short");
    more.textContent = isShort ? "Show all" : "Show less";
    if (isShort) text.scrollIntoView({ block: "nearest" });
  });
  return element("div", { class: "long" }, text, more);
}
