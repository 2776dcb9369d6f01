#!/usr/bin/env python3
"""Compares what the quickstart's sinks hold with its input, without using any of the library's code.

usage: verify.py <folder of the quickstart> [<input file>]

The expected documents are computed here from the input file: nested objects become fields of one level, names joined by
dots, arrays stay. Record number n went to partition n % 3, so its offset is n // 3. Three hashes over the sorted ids and
bodies must be equal: of the input, of the index's documents and of the objects' lines. Numbers are compared as they are
written.
"""

import collections
import hashlib
import json
import pathlib
import re
import sys

TOPIC, PARTITIONS = "earthquakes", 3


def parse(text):
    """JSON in which numbers stay text, so that 1.0 and 1 differ, and no field may stand twice."""

    def unique(pairs):
        fields = dict(pairs)
        assert len(fields) == len(pairs), f"a field stands twice in {text}"
        return fields

    number = lambda digits: ["number", digits]
    return json.loads(text, parse_int=number, parse_float=number, object_pairs_hook=unique)


def flatten(value, prefix=""):
    fields = {}
    for name, inner in value.items():
        if isinstance(inner, dict):
            fields.update(flatten(inner, f"{prefix}{name}."))
        else:
            fields[prefix + name] = inner
    return fields


def digest(rows):
    """Of all rows, each once or not: a row that stands twice changes the hash."""
    lines = sorted(f"{id} {json.dumps(body, sort_keys=True)}\n" for id, body in rows)
    return len(lines), len({id for id, _ in rows}), hashlib.sha256("".join(lines).encode()).hexdigest()


def lines(path):
    return path.read_text(encoding="utf-8").splitlines()


def expected(path):
    for number, line in enumerate(lines(path)):
        yield f"{TOPIC}+{number % PARTITIONS}+{number // PARTITIONS}", flatten(parse(line))


def documents(folder):
    for line in lines(folder / "documents.ndjson"):
        document = parse(line)
        yield document["_id"], document["_source"]


def objects(folder):
    """The files of a range have the offset of its first record in their names, and a number; lines are in order."""
    name = re.compile(rf"{TOPIC}\+(\d+)\+(\d+)-(\d+)\.\w+")
    ranges = collections.defaultdict(list)
    for path in folder.glob("objects/**/*"):
        if path.is_file() and ".connect" not in path.parts:
            partition, first, number = map(int, name.fullmatch(path.name).groups())
            ranges[partition, first].append((number, path))
    for (partition, first), files in ranges.items():
        bodies = [line for _, path in sorted(files) for line in lines(path)]
        for offset, line in enumerate(bodies, start=first):
            yield f"{TOPIC}+{partition}+{offset}", parse(line)


def main():
    folder = pathlib.Path(sys.argv[1])
    beside = pathlib.Path(__file__).parent / "data" / "earthquakes.jsonl"
    input_file = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else beside
    found = {
        "input": digest(list(expected(input_file))),
        "documents": digest(list(documents(folder))),
        "object lines": digest(list(objects(folder))),
    }
    for what, (count, ids, sha256) in found.items():
        print(f"{what:13} {count:6} {ids:6} different ids  sha256 {sha256}")
    if len(set(found.values())) > 1:
        sys.exit("they differ")


main()
