// Files that are dropped on the page are compared with the rules by the node, one after the other.
"use strict";

const MOST_FILES = 20;
const drop = document.getElementById("r-drop");
const found = document.getElementById("r-found");
const chosen = document.getElementById("r-files");

async function explained(file) {
  const query = new URLSearchParams({
    calling: document.getElementById("r-calling").value,
    called: document.getElementById("r-called").value,
  });
  const begin = file.slice(0, Number(drop.dataset.largest));
  const answer = await fetch(`/rules/try?${query}`, { method: "POST", body: begin });
  if (answer.ok) return answer.text();
  return '<p class="error">The node does not answer; try again.</p>';
}

async function explain(files) {
  found.replaceChildren();
  for (const file of [...files].slice(0, MOST_FILES)) {
    const part = document.createElement("section");
    const title = document.createElement("h3");
    title.textContent = file.name;
    const text = document.createElement("div");
    text.innerHTML = await explained(file).catch(() => '<p class="error">The file cannot be read.</p>');
    part.append(title, text);
    found.append(part);
  }
}

chosen.addEventListener("change", () => explain(chosen.files));
for (const name of ["r-calling", "r-called"]) {
  document.getElementById(name).addEventListener("change", () => explain(chosen.files));
}
drop.addEventListener("dragover", event => { event.preventDefault(); drop.classList.add("over"); });
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", event => {
  event.preventDefault();
  drop.classList.remove("over");
  chosen.files = event.dataTransfer.files;
  explain(chosen.files);
});
