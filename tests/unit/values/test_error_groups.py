"""Groups of errors keep their members."""

from __future__ import annotations

from typing import Any

from tests.unit.values.support import Fiber, Holder, ShopError, codec
from weft_core.errors import ActivityError

CODEC = codec()


def again(error: BaseException) -> BaseException:
    return CODEC.decode_error(CODEC.encode_error(error))


def test_groups() -> None:
    inner = [ValueError(1), ShopError(2, hint="h")]
    group = ExceptionGroup("several", inner)
    group.add_note("n")
    inner[0].__context__ = group
    found = again(group)
    assert isinstance(found, ExceptionGroup)
    assert found.message == "several"
    assert [type(e) for e in found.exceptions] == [ValueError, ShopError]
    assert found.exceptions[0].__context__ is found
    nested = BaseExceptionGroup("outer", [group, KeyboardInterrupt()])
    again_nested = Fiber().through(e=nested)["e"]
    assert type(again_nested) is BaseExceptionGroup
    assert again_nested.exceptions[0].exceptions[1].code == 2


def test_a_group_keeps_its_members_whatever_becomes_of_the_list_it_was_made_of() -> None:
    errors: list[Exception] = [ValueError(1)]
    group = ExceptionGroup("g", errors)
    found = Fiber().through(group=group, errors=errors)
    assert found["group"].args[1] is found["errors"]
    errors.append(group)
    for change in (None, "clear", "args"):
        if change == "clear":
            errors.clear()
        elif change == "args":
            group.args = ("other",)
        found = Fiber().through(group=group, errors=errors)
        for copy in (found["group"], again(group)):
            assert (copy.message, [repr(e) for e in copy.exceptions]) == ("g", ["ValueError(1)"])
            assert len(copy.args) == len(group.args)
        assert change == "args" or found["group"].args[1] is found["errors"]
        assert len(found["errors"]) == len(errors)


def test_a_group_of_errors_that_cannot_be_stored_is_still_a_group() -> None:
    for members in ([ValueError(Holder())], (ValueError(Holder()),)):
        found = again(ExceptionGroup("g", members))
        assert isinstance(found, ExceptionGroup)
        assert type(found.args[1]) is type(members)
        assert "Holder" in found.exceptions[0].args[0]


def test_a_group_stored_before_its_members_stood_apart_can_be_read() -> None:
    found = CODEC.decode_error(
        '{"type":"ExceptionGroup","message":"g (1 sub-exception)",'
        '"args":["g",[{"$error":{"type":"ValueError","message":"1","args":[1],"notes":["n"]}}]]}'
    )
    assert isinstance(found, ExceptionGroup)
    assert found.exceptions[0].args == (1,)


def test_a_member_of_a_group_that_cannot_be_told_is_told_as_text() -> None:
    class Broken(Exception):
        def __getattribute__(self, name: str) -> Any:
            raise RuntimeError("no")

    (member,) = again(ExceptionGroup("g", [Broken()])).exceptions
    assert type(member) is ActivityError and "Broken" in str(member)
