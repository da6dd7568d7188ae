"use strict";
// Lets a reader sort the tables by a column; without it they are in the order of the page.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  table.querySelectorAll("thead th").forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => {
      const descending = header.getAttribute("aria-sort") === "ascending";
      const key = (row) => {
        const cell = row.cells[column];
        if (!cell) return null;
        return "v" in cell.dataset ? (cell.dataset.v === "" ? null : cell.dataset.v) : cell.textContent.trim();
      };
      const compare = (first, second) => {
        const [a, b] = [key(first), key(second)];
        // What has no figure stays at the end either way.
        if (a === null || b === null) return (a === null) - (b === null);
        const order = a !== "" && b !== "" && !isNaN(a) && !isNaN(b) ? a - b : a.localeCompare(b);
        return descending ? -order : order;
      };
      const rows = [...body.rows].sort(compare);
      table.querySelectorAll("thead th").forEach((other) => other.removeAttribute("aria-sort"));
      header.setAttribute("aria-sort", descending ? "descending" : "ascending");
      body.append(...rows);
    });
  });
}
