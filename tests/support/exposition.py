"""Prometheus' text format 0.0.4, read strictly: whatever a scraper might stumble over is an error here.

Besides the grammar these hold: every family has HELP and TYPE, in this order, and then its samples, together; no sample
comes twice; names end in units of measure that Prometheus recommends (seconds, bytes), counters in _total and nothing
else; buckets of a histogram grow, end in +Inf, and agree with _count.
"""
import dataclasses
import math
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf"^({NAME})(?:\{{(.*)\}})? (\S+)$")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)')
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("", "_sum", "_count")}
# Of these Prometheus would rather have seconds, bytes and ratios.
UNWANTED_UNITS = r"_(ms|milliseconds|us|microseconds|minutes|hours|days|kb|mb|kib|mib|kilobytes|megabytes|percent)(_|$)"


@dataclasses.dataclass
class Family:
    name: str
    help: str
    type: str
    samples: dict = dataclasses.field(default_factory=dict)  # (name, ((label, value), ...)) -> number

    @property
    def labels(self):
        """The names of its labels, but for a histogram's le."""
        return {label for _, pairs in self.samples for label, _ in pairs} - {"le"}


def parse_labels(text):
    pairs = []
    while text:
        match = LABEL.match(text)
        assert match, f"not a list of labels: {text}"
        pairs.append((match[1], re.sub(r"\\(.)", lambda escape: {"n": "\n"}.get(escape[1], escape[1]), match[2])))
        text = text[match.end():]
        assert text or match[3] == "", "a comma at the end"
    assert len({name for name, _ in pairs}) == len(pairs), f"a label twice: {pairs}"
    return tuple(pairs)


def parse(text):
    """{name: Family}"""
    assert text.endswith("\n"), "the last line has no end"
    families, family, named = {}, None, None
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            _, _, name, words = line.split(" ", 3)
            assert name not in families, f"{name} comes twice"
            named = (name, words)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert named and named[0] == name, f"{name} has no help before its type"
            family = families[name] = Family(name, named[1], kind)
        else:
            match = SAMPLE.match(line)
            assert match, f"not a sample: {line!r}"
            name, key = match[1], (match[1], parse_labels(match[2] or ""))
            assert family and name in {family.name + suffix for suffix in SUFFIXES.get(family.type, ("",))}, f"out of its family: {line}"
            assert key not in family.samples, f"twice: {line}"
            family.samples[key] = float(match[3])
    for family in families.values():
        check(family)
    return families


def check(family):
    name = family.name
    assert re.fullmatch(r"rollcall_[a-z0-9_]+", name) and "__" not in name, name
    assert family.help and family.help[0].isupper() | family.help[0].isdigit() and family.help.endswith("."), f"{name}: {family.help}"
    assert family.type in ("counter", "gauge", "histogram", "summary"), family.type
    assert (family.type == "counter") == name.endswith("_total"), f"{name} is a {family.type}"
    assert not re.search(r"_(count|sum|bucket|info_total)$", name) and not re.search(UNWANTED_UNITS, name), name
    assert family.samples, f"{name} has a head and no samples"
    assert not any(math.isnan(value) for value in family.samples.values())
    if family.type != "gauge":
        assert all(value >= 0 for value in family.samples.values()), name
    label_sets = {tuple(label for label, _ in pairs if label != "le") for _, pairs in family.samples}
    assert len(label_sets) == 1, f"{name}: samples differ in their labels: {label_sets}"
    if family.type == "histogram":
        check_histogram(family)


def check_histogram(family):
    series = {}
    for (name, pairs), value in family.samples.items():
        key = tuple(pair for pair in pairs if pair[0] != "le")
        series.setdefault(key, {}).setdefault(name.removeprefix(family.name), []).append((dict(pairs).get("le"), value))
    for key, parts in series.items():
        bounds, counts = zip(*parts["_bucket"])
        assert [float(bound) for bound in bounds] == sorted(float(bound) for bound in bounds) and bounds[-1] == "+Inf", (family.name, key)
        assert list(counts) == sorted(counts) and counts[-1] == parts["_count"][0][1], (family.name, key)
        assert len(parts["_sum"]) == 1
