"""What a workflow imports in its own body is stored as that import; nothing else is imported for anybody."""

from __future__ import annotations

import colorsys
import json
import json.decoder
import sys
import xml.dom
import xml.sax
from types import CellType, ModuleType
from typing import Any

import pytest

from tests.unit.values.support import Fiber, codec
from weft_core.errors import CheckpointError, DecodeError
from weft_core.resume.values import FiberEncoder


def test_what_the_source_imports_comes_back_as_itself() -> None:
    found = Fiber().through(xml=xml, sax=xml.sax, dumps=json.dumps, both=[json.decoder, json.decoder], c=colorsys)
    assert (found["xml"], found["sax"], found["dumps"], found["c"]) == (xml, xml.sax, json.dumps, colorsys)
    assert found["both"] == [json.decoder, json.decoder]
    fiber = Fiber()
    text = fiber.keep(fiber.frame({"sax": xml.sax, "dumps": json.dumps}, cells={"x": CellType(xml)})).text
    frame = json.loads(text)[0]
    assert frame["locals"] == {"sax": {"$import": ["xml.sax"]}, "dumps": {"$import": ["json", "dumps"]}}
    assert frame["cells"] == {"x": {"$cell": [{"$import": ["xml"]}]}}


def test_a_process_that_has_not_imported_it_does_as_the_source_says(monkeypatch: pytest.MonkeyPatch) -> None:
    fiber = Fiber()
    encoded = fiber.keep(fiber.frame({"c": colorsys, "x": xml}))
    for name in ("colorsys", "xml.dom"):
        monkeypatch.delitem(sys.modules, name)
    found = fiber.restart(encoded)[0].locals["c"]
    assert found is sys.modules["colorsys"] is not colorsys
    assert "xml.dom" in sys.modules


@pytest.mark.parametrize("value", [json, xml.sax.handler, sys, json.loads, ModuleType("colorsys")], ids=str)
def test_what_the_source_does_not_import_is_refused(value: Any) -> None:
    fiber = Fiber()
    with pytest.raises(CheckpointError, match="import it"):
        fiber.keep(fiber.frame({"m": value}))


def test_only_frames_have_imports() -> None:
    with pytest.raises(CheckpointError):
        codec().encode(colorsys)
    with pytest.raises(DecodeError):
        codec().decode('{"$import":["colorsys"]}')


@pytest.mark.parametrize(
    "payload", [["os"], ["this"], ["json"], ["json", "loads"], ["xml.dom"], [], [None], 1, [1, 2, 3]]
)
def test_data_imports_nothing_that_the_source_does_not(payload: Any) -> None:
    fiber = Fiber()
    text = fiber.keep(fiber.frame({"c": colorsys})).text.replace('["colorsys"]', json.dumps(payload))
    with pytest.raises(DecodeError):
        FiberEncoder(fiber.codec, fiber.externals).decode(text, fiber.stored.__getitem__)
    assert "this" not in sys.modules
