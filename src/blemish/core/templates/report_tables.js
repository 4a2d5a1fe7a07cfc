"use strict";
(() => {
  // Tables are sorted by what the reader chooses, within their groups, and saved as CSV as they then stand.
  const rowsOf = (body) => [...body.rows].filter((row) => !row.classList.contains("group"));
  const wordsOf = (cell) => cell.innerText.replace(/\s+/g, " ").trim();
  const valueOf = (row, place) => {
    const cell = row.cells[place];
    if (!cell) return null;
    const said = cell.dataset.value ?? wordsOf(cell);
    if (said === "" || said === "–") return null;
    const number = Number.parseFloat(said.replaceAll(",", ""));
    return cell.tagName === "TH" || Number.isNaN(number) ? said : number;
  };
  const compared = (one, other) => (typeof one === "number" && typeof other === "number" ? one - other : String(one).localeCompare(String(other), undefined, { numeric: true }));
  // What has no value stays at the end, whichever way is sorted.
  const sort = (table, place, direction) => {
    for (const body of table.tBodies) {
      const known = rowsOf(body).map((row) => [valueOf(row, place), row]);
      const ranked = known.filter(([value]) => value !== null).sort(([one], [other]) => direction * compared(one, other));
      body.append(...[...ranked, ...known.filter(([value]) => value === null)].map(([, row]) => row));
    }
  };
  const sortable = (table) => {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, place) => {
      if (!wordsOf(head)) return;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const best = head.dataset.better === "lower" || !head.classList.contains("number") ? "ascending" : "descending";
        const turned = { ascending: "descending", descending: "ascending" }[head.getAttribute("aria-sort")];
        const order = turned || best;
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", order);
        sort(table, place, order === "ascending" ? 1 : -1);
      });
    });
  };
  const csvRows = (table) => {
    const heads = [...table.tHead.rows[0].cells];
    const groups = [...table.tBodies].some((body) => body.querySelector(".group"));
    const rows = [...table.tBodies].flatMap((body) => {
      const group = body.querySelector(".group");
      return [...rowsOf(body), ...(body === [...table.tBodies].at(-1) && table.tFoot ? table.tFoot.rows : [])].map((row) => [group ? wordsOf(group) : "", row]);
    });
    const ranged = heads.map((_, place) => rows.some(([, row]) => row.cells[place] && row.cells[place].dataset.low !== undefined));
    const titles = heads.map((head) => head.dataset.key || wordsOf(head));
    const header = [...(groups ? [table.dataset.group || "group"] : []), ...titles.flatMap((title, place) => (ranged[place] ? [title, `${title}_low`, `${title}_high`] : [title]))];
    return [header, ...rows.map(([group, row]) => [...(groups ? [group] : []), ...heads.flatMap((_, place) => {
      const cell = row.cells[place];
      const value = cell ? (cell.dataset.value ?? (wordsOf(cell) === "–" ? "" : wordsOf(cell))) : "";
      return ranged[place] ? [value, cell?.dataset.low ?? "", cell?.dataset.high ?? ""] : [value];
    })])];
  };
  document.querySelectorAll(".scroll table").forEach((table) => {
    if (!table.tHead || table.tHead.rows.length !== 1) return;
    if (!table.matches(".named") && [...table.tBodies].some((body) => rowsOf(body).length > 1)) sortable(table);
    const scroll = table.closest(".scroll");
    const title = table.dataset.title || scroll.getAttribute("aria-label") || "Table";
    const section = table.closest("section.category");
    const name = () => `${reportFiles.slug(section && section.getAttribute("aria-label"), title)}.csv`;
    const holder = document.createElement("div");
    scroll.replaceWith(holder);
    holder.append(scroll, reportFiles.tools([["CSV", `Save ${title} as CSV`, () => reportFiles.save(name(), reportFiles.csv(csvRows(table)), "text/csv")]]));
  });
})();
