"""What stands in words beside the tables of the studies: how a study is kept, what it is about, what makes it."""

from __future__ import annotations

THREE_TEACHERS = {
    name: f"{name}_three_teachers"
    for name in ("amazon_scientific", "amazon_office_2014", "online_retail", "movies_ml1m")
}
"""Data set -> what the study with fewer teachers, and more rows, is kept as."""
AS_SERVED = {name: f"{name}_as_served" for name in ("amazon_office_2014",)}
"""Data set -> what the study is kept as whose recipes and epochs were chosen masked, as the service answers."""
LONGER = {name: f"{name}_trained_longer" for name in ("amazon_scientific", "online_retail")}
"""Data set -> what the study is kept as whose students were trained until they stood still."""
CLOSER = {name: f"{name}_closer" for name in ("amazon_scientific",)}
"""Data set -> what the study is kept as whose students were brought closer to what their teachers say."""
COUNTED = {name: f"{name}_with_transitions" for name in ("amazon_office_2014",)}
"""Data set -> what the study is kept as in which a counting teacher is heard, too, and the recipes are the latest."""
WITHDRAWN = frozenset({"movies_ml1m"})
"""Studies in which no gain is to be read: they have a page, which says why, and stand in no comparison."""
PICTURED = tuple({**AS_SERVED, **LONGER, **CLOSER, **COUNTED}.values())
"""Of each set that has one the study with the latest recipes; none of MovieLens."""
_THREE = (
    "The same data set with three teachers, UniSRec, UniM2Rec and EASE, pre-trained as two cores can pay for"
    " (`configs/teachers/two-cores`), and more rows: the controls, a broken teacher in the plain mean, other ways of"
    " weighing. What the GPU's time did not suffice for, A15 and C8 among it, was trained on two cores from the same"
    " teachers."
)
_AS_SERVED = (
    "The same three teachers; how much is taught and which epoch is kept were chosen by validation with what users have"
    " seen left out, as the service answers, in place of the published tables' way, and a training ends after 15 epochs"
    " that bring nothing, not after 6 ([decision 26](../decisions/026-chosen-as-it-is-served.md))."
    " Nothing was chosen for its unmasked figures. Only the main rows of SASRec."
)
_SHORT = f"{_THREE} All of it was trained with little patience; the main rows with more: [{{longer}}]({{longer}}.md)."
_LONGER = (
    "The same three teachers, fitted anew, and students that were trained until they stood still, but for what is"
    " called cut short: in shorter batches, their weights averaged"
    " ([decision 27](../decisions/027-more-steps-and-an-average.md)). [{short}]({short}.md) has more rows, trained with"
    " little patience."
)
_CLOSER = (
    "The teachers of [{longer}]({longer}.md), and students that are told four times as many items of each soft target"
    " by name and have less dropout: they come much closer to what their teachers say"
    " ([decision 33](../decisions/033-closer-to-the-teachers.md)). Only the main rows of SASRec; A0 is the same."
)
_COUNTED = (
    "UniSRec and UniM2Rec, fitted anew, EASE, and a fourth teacher that counts what comes soon after what"
    " ([decision 34](../decisions/034-a-counting-teacher.md)). Students follow their teachers closely, by a recipe that"
    " was taken over from Amazon Scientific and not searched here"
    " ([decision 33](../decisions/033-closer-to-the-teachers.md)). A19, and C11 with a broken teacher, weigh by the"
    " user's other rows ([decision 35](../decisions/035-weights-by-the-users-other-rows.md)). Only the main rows of"
    " SASRec."
)
SAID = {
    **{THREE_TEACHERS[name]: _SHORT.format(longer=longer) for name, longer in LONGER.items()},
    **{longer: _LONGER.format(short=THREE_TEACHERS[name]) for name, longer in LONGER.items()},
    **{closer: _CLOSER.format(longer=LONGER[name]) for name, closer in CLOSER.items()},
    **dict.fromkeys(AS_SERVED.values(), _AS_SERVED),
    **dict.fromkeys(COUNTED.values(), _COUNTED),
    "movies_ml1m": "A0 has steps a third as long as the taught rows, by its own search (eight recipes on a GPU, whose"
    " record was lost with the machine). With the long steps it stood at .1704 masked, and the gain of A7 seemed to be"
    " +.0257. The taught rows were not searched at the short length: what they would gain by it is not known, and A3"
    " and C3 collapsed at the long one. And A0 was ended too soon, after 33 epochs on average, by a patience of 5 or by"
    " its limit: one seed that went on, on another machine, had .1437 unmasked and .1942 masked, above A7 unmasked and"
    " within .0019 of it masked. No gain should be read here"
    " ([decision 28](../decisions/028-a-student-trained-to-its-end.md)). What better teachers give a student that is"
    " trained to its end: [decision 31](../decisions/031-a-student-beside-its-teachers.md).",
    "amazon_office_2014": "GRU4Rec's recipe does not suit this set: some seeds stopped before they had learnt"
    " anything. The study with three teachers has a recipe that was searched, and there it learns.",
    THREE_TEACHERS["amazon_office_2014"]: "The same data set with three teachers, UniSRec, UniM2Rec and EASE,"
    " pre-trained as two cores can pay for (`configs/teachers/two-cores`), every row, and the other students, whose"
    " steps and weights were searched on validation"
    " ([decision 25](../decisions/025-steps-that-bear-a-bad-teacher.md))."
    " Teachers and students were trained in one go on two cores of an Intel"
    " Xeon. EASE knows little here, and one bad teacher of three is what weights are for.",
    "online_retail": "Baskets: what is bought together comes one after the other, and the last-item Markov chain is"
    " the floor to clear. Unmasked SASRec does not; masked, or with an offset on what was seen, it does.",
}
"""Name -> a word before its tables."""
COMMANDS = {
    kept: ".venv/bin/python -m benchmarks.teachers run --sets SETS --build build/three"
    f" --recipes configs/teachers/two-cores --target {name} --teacher unisrec --teacher unim2rec --no-compare\n"
    f".venv/bin/python -m benchmarks.studies run --set {name} --build build/three"
    f" --teacher unisrec --teacher unim2rec --keep-as {kept}"
    for names in (THREE_TEACHERS, AS_SERVED, LONGER, CLOSER, COUNTED)
    for name, kept in names.items()
}
"""Name -> what makes it, where it is not the plain command."""
