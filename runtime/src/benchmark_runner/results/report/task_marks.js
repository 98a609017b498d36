// The mark of a state: its colour and its shape, see page.css. Those of scored tasks depend on the score.
const MARKS = {
  "timed out": "ended",
  "out of turns": "ended",
  "did not complete": "ended",
  "failed in generation": "failed",
  "failed in grading": "failed",
  "not graded yet": "pending",
  "not generated yet": "pending",
};
// The signs in a strip of repeats, each with its mark and its meaning.
const STRIP = {
  P: ["full", "passed"],
  "~": ["partial", "partly"],
  F: ["none", "failed"],
  S: ["scored", "scored"],
  T: ["ended", "timed out"],
  O: ["turns", "out of turns"],
  N: ["given-up", "did not complete"],
  E: ["failed", "error"],
  "-": ["pending", "not yet"],
};
const LEGEND = {
  full: "full score",
  partial: "partial score",
  none: "score of 0",
  scored: "scored",
  ended: "did not complete, counts 0",
  failed: "failed",
  pending: "not done yet",
};


// Of a score between 0 and 1 it is known how much of the whole it is; of one on another scale, only if it is nothing.
function levels(scores) {
  const share = scores.every((score) => score >= 0 && score <= 1);
  const near = (score, value) => Math.abs(score - value) < 1e-9;
  return (score) => {
    if (near(score, 0)) return "none";
    if (!share) return "scored";
    return near(score, 1) ? "full" : "partial";
  };
}

// How a scored repeat is read depends on the scale of all scores, see levels().
function stripOf(signs, share) {
  return [...signs].map((sign) => STRIP[share || !"P~F".includes(sign) ? sign : "S"]);
}

function mark(name, text) {
  return element("span", { class: `mark ${name}`.trim(), text });
}

const format = {
  text: (value) => value,
  state: (value) => value,
  score: (value) => String(Number(value.toPrecision(4))),
  spread: (value) => String(Number(value.toPrecision(2))),
  count: (value) => value.toLocaleString("en"),
  dollars: (value) => "$" + (value >= 0.1 || value === 0 ? value.toFixed(2) : String(Number(value.toPrecision(3)))),
  seconds: (value) => {
    if (value > 0 && value < 1) return `${Number((value * 1000).toPrecision(3))} ms`;
    if (value < 60) return `${Number(value.toPrecision(3))} s`;
    if (value < 3600) return `${Math.floor(value / 60)} min ${Math.floor(value % 60)} s`;
    return `${Math.floor(value / 3600)} h ${Math.floor((value % 3600) / 60)} min`;
  },
};
