// Sorts a table by a column: numbers by data-value, the rest as text; no value comes last.
"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const descending = heading.getAttribute("aria-sort") === "ascending";
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const rows = [...body.rows].sort((one, other) =>
        compare(one.cells[column], other.cells[column], descending ? -1 : 1));
      body.append(...rows);
    });
  });
}
function compare(one, other, direction) {
  const [first, second] = [one.dataset.value, other.dataset.value];
  if (first === undefined || second === undefined)
    return direction * one.textContent.localeCompare(other.textContent, "en", { numeric: true });
  if (first === "" || second === "") return (first === "") - (second === "");
  return direction * (Number(first) - Number(second));
}
