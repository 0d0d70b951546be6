"""Every promise of docs/guarantees.md names tests that exist, and every operation of the contract is among them."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "guarantees.md").read_text("utf-8")
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and "---" not in line]
PROMISES = [row for row in ROWS if not row.endswith("| proven by |")]


@pytest.mark.parametrize("row", PROMISES, ids=lambda row: row.split("|")[1].strip()[:40])
def test_a_promise_names_tests(row: str) -> None:
    assert NAMED.search(row)


@pytest.mark.parametrize("file", sorted({file for file, _ in NAMED.findall(PAGE)}))
def test_every_test_that_is_named_is_there(file: str) -> None:
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    there = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert {name for other, name in NAMED.findall(PAGE) if other == file} <= there


def test_every_operation_of_the_contract_has_its_row() -> None:
    paths = json.loads((ROOT / "docs" / "openapi.json").read_text("utf-8"))["paths"]
    names = [operation["operationId"] for methods in paths.values() for operation in methods.values()]
    told = [name for row in PROMISES if (name := row.split("|")[1].strip().strip("`")) in names]
    assert sorted(told) == sorted(names)
