// The settings of one list, as fields of POST /recommend.
import { button, element } from "./dom.js";

const CAROUSEL = { "": "only", only: "not", not: "" }; // what a click on a value of a facet makes of it
const WORDS = { "": "any", only: "only these", not: "left out" };
const SIGNS = { "": "", only: "✓ ", not: "✕ " };

export class Controls {
  constructor(form, onChange) {
    this.form = form;
    this.onChange = onChange;
    this.chosen = { categories: new Map(), brands: new Map() }; // value -> only | not
    this.offered = { categories: [], brands: [] };
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => this.showDiversity());
    form.addEventListener("change", (event) => {
      if (event.target.type !== "search" && form.reportValidity()) onChange();
    });
    form.addEventListener("reset", () => setTimeout(() => this.wasReset())); // when its fields have been
    for (const search of form.querySelectorAll("input[type=search]")) {
      search.addEventListener("input", () => this.showFacet(search.dataset.facet));
    }
  }

  field(name) {
    return this.form.elements.namedItem(name);
  }

  // What to ask for; without what is as it would be anyway.
  request() {
    const asked = { n: Number(this.field("n").value), explain: this.field("explain").checked };
    if (!this.field("exclude_seen").checked) asked.exclude_seen = false;
    if (Number(this.field("diversity").value)) asked.diversity = Number(this.field("diversity").value);
    if (this.field("model").value) asked.model = this.field("model").value;
    const filters = this.filters();
    if (Object.keys(filters).length) asked.filters = filters;
    return asked;
  }

  filters() {
    const filters = this.field("available_only").checked ? { available_only: true } : {};
    for (const [facet, chosen] of Object.entries(this.chosen)) {
      const of = (what) => [...chosen].filter(([, how]) => how === what).map(([value]) => value);
      if (of("only").length) filters[`${facet}_any`] = of("only");
      if (of("not").length) filters[`${facet}_none`] = of("not");
    }
    return filters;
  }

  // In a few words, for when the settings are folded away.
  summary() {
    const asked = this.request();
    const conditions = Object.values(asked.filters ?? {}).flat().length;
    const said = [`${asked.n} items`];
    if (asked.diversity) said.push(`diversity ${asked.diversity}`);
    if (asked.exclude_seen === false) said.push("seen ones too");
    if (conditions) said.push(conditions === 1 ? "1 filter" : `${conditions} filters`);
    if (asked.model) said.push(asked.model);
    return said.join(" · ");
  }

  offerFacets(facets) {
    for (const facet of ["categories", "brands"]) {
      this.offered[facet] = facets[facet];
      this.showFacet(facet);
    }
  }

  offerModels({ models, variants }) {
    const select = this.field("model");
    const before = select.value;
    const named = variants.map((arm) => [arm.model_version, `variant ${arm.name}: ${arm.model_version}`]);
    const open = models.filter((one) => one.open).map((one) => [one.model_version, `${one.model_version} (${one.state})`]);
    const served = new Option(variants.length ? "as the user's variant says" : "the active one", "");
    select.replaceChildren(served, ...[...named, ...open].map(([value, text]) => new Option(text, value)));
    select.value = [...select.options].some((option) => option.value === before) ? before : "";
  }

  showFacet(facet) {
    const box = this.form.querySelector(`fieldset[data-facet=${facet}]`);
    const wanted = box.querySelector("input").value.trim().toLowerCase();
    const fits = ({ value }) => this.chosen[facet].has(value) || value.toLowerCase().includes(wanted);
    box.hidden = this.offered[facet].length === 0;
    box.querySelector("input").hidden = this.offered[facet].length <= 12;
    box.querySelector(".values").replaceChildren(...this.offered[facet].filter(fits).map((one) => this.chip(facet, one)));
  }

  chip(facet, { value, items }) {
    const chosen = this.chosen[facet];
    const made = button("chip", "", () => {
      const next = CAROUSEL[chosen.get(value) ?? ""];
      if (next) chosen.set(value, next);
      else chosen.delete(value);
      show();
      this.onChange();
    });
    const show = () => {
      const how = chosen.get(value) ?? "";
      made.dataset.how = how;
      made.replaceChildren(`${SIGNS[how]}${value} `, element("small", "", String(items)));
      made.setAttribute("aria-label", `${value}, ${items} items: ${WORDS[how]}`);
    };
    show();
    return made;
  }

  showDiversity() {
    this.form.querySelector("output").textContent = this.field("diversity").value;
  }

  wasReset() {
    for (const chosen of Object.values(this.chosen)) chosen.clear();
    for (const facet of Object.keys(this.offered)) this.showFacet(facet);
    this.showDiversity();
    this.onChange();
  }
}
