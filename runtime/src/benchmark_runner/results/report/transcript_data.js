// The data of a transcript: in the page, or in a file beside it.
const PATIENCE = 30_000;
// From the end of a file to its message.
const GRACE = 1500;
const NOT_THERE = "Its file can't be loaded. The folder of the transcripts belongs beside the page; a report with --single-file needs none.";
const CHANGED = "It is not the one that this page was made with: the report was written again meanwhile. Open the page again.";
const LEFT_OUT = "It does not fit into the page, whose size is limited; its file is in the run's folder.";

async function unpack(text) {
  const bytes = Uint8Array.from(atob(text.trim()), (char) => char.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

// A page may not read files beside it. They hand over their data, from a frame in which they can do nothing else.
function load(address, key) {
  return new Promise((resolve, reject) => {
    const frame = element("iframe", { sandbox: "allow-scripts", title: "Data of a transcript", src: address, hidden: "" });
    const end = (settle, value) => {
      removeEventListener("message", hear);
      clearTimeout(timer);
      frame.remove();
      settle(value);
    };
    const hear = ({ source, data }) => {
      if (source !== frame.contentWindow) return;
      if (typeof data?.data === "string" && data.key === key) end(resolve, data.data);
      else end(reject, CHANGED);
    };
    let timer = setTimeout(() => end(reject, NOT_THERE), PATIENCE);
    frame.addEventListener("load", () => {
      clearTimeout(timer);
      timer = setTimeout(() => end(reject, NOT_THERE), GRACE);
    });
    addEventListener("message", hear);
    document.body.append(frame);
  });
}

async function sectionsOf(found) {
  if (found.file) return unpack(await load(found.file, found.key));
  const block = document.getElementById(`transcript-${found.block}`);
  if (!block) throw LEFT_OUT;
  return unpack(block.textContent);
}

// The button that opens a transcript, and the place for it.
function transcriptOf(found, of) {
  const said = element("p", { class: "left-out", role: "status" });
  const place = element("div");
  const area = element("div", {});
  let transcript = null;
  let isOpen = false;
  const turn = async () => {
    isOpen = !isOpen;
    opener.setAttribute("aria-expanded", String(isOpen));
    place.replaceChildren();
    said.textContent = isOpen && !transcript ? "Loading …" : "";
    if (!isOpen) return;
    try {
      transcript ??= new Transcript(await sectionsOf(found), of);
    } catch (problem) {
      if (isOpen) said.textContent = typeof problem === "string" ? problem : "This browser can't unpack it; a newer one can.";
      return;
    }
    if (!isOpen) return;
    said.textContent = "";
    place.replaceChildren(transcript.root);
  };
  const opener = button(`Show the transcript: ${found.label}`, turn, { class: "opener", "aria-expanded": "false" });
  area.addEventListener("keydown", (event) => isOpen && transcript?.press(event));
  area.append(opener, said, place);
  return area;
}
