"""What the command's verdict rests on: causes, lost checks, figures that fell. `python -m pytest conformance/tests`."""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "runner"))
import causes  # noqa: E402
import verdict  # noqa: E402

HEAD = """
[causes.patch]
kind = "emulation"
title = "PATCH"
[causes.lie]
kind = "no"
title = "no"
"""
RULES = """
[[rule]]
server = "a"
check = ["x/*", "emails[type=work]*"]
detail = "*501*"
cause = "patch"
reason = "501"
[[rule]]
suite = "okta-*"
cause = "lie"
reason = "it is so"
"""


def result(**checks):
    marks = [{"id": name.replace("_", "/"), "ok": ok, "detail": "status 501"} for name, ok in checks.items()]
    return {"checks": marks, "passed": sum(checks.values()), "total": len(checks), "cases_passed": 0, "cases_total": 1}


def test_the_first_rule_that_fits_counts():
    known = causes.Causes(HEAD + RULES)
    assert known.of("a", "okta-flow", {"id": "x/1", "detail": "status 501, wanted 200"}).cause == "patch"
    assert known.of("a", "okta-flow", {"id": "x/1", "detail": "status 400"}).cause == "lie"
    assert known.of("b", "entra-flow", {"id": "x/1", "detail": "status 501"}) is None
    assert known.idle() == []


def test_brackets_are_no_wildcards():
    known = causes.Causes(HEAD + RULES)
    assert known.of("a", "s", {"id": "emails[type=work].value", "detail": "501"}).cause == "patch"
    assert known.of("a", "s", {"id": "emailst", "detail": "501"}) is None


def test_a_rule_that_fits_nothing_is_named():
    known = causes.Causes(HEAD + RULES)
    known.of("a", "s", {"id": "x/1", "detail": "501"})
    assert [rule.cause for rule in known.idle()] == ["lie"]


@pytest.mark.parametrize("text", [
    "[[rule]]\ncause = 'other'\nreason = 'x'", "[[rule]]\ncause = 'lie'", "[[rule]]\ncause = 'lie'\nreason = 'x'\nsever = 'a'",
])
def test_a_slip_in_a_rule_is_a_problem(text):
    with pytest.raises(ValueError):
        causes.Causes(HEAD + text)


def test_a_check_that_fails_or_is_no_longer_made_is_lost():
    results = {("a", "okta-flow", "direct"): result(c_1=True, c_2=True, c_3=False),
               ("a", "okta-flow", "default"): result(c_1=True, c_2=False, c_3=True),
               ("a", "okta-flow", "chosen"): result(c_1=True)}
    assert verdict.lost(results) == [("a", "okta-flow", "chosen", "c/2"), ("a", "okta-flow", "default", "c/2")]


def test_a_flow_is_lifted_alone_by_the_only_cause_in_it():
    known = causes.Causes(HEAD + RULES)
    rest = [("a", "okta-flow", {"id": f"{case}/1", "detail": "501"}, known.of("a", "okta-flow", {"id": f"{case}/1", "detail": detail}))
            for case, detail in (("x", "501"), ("x", "501"), ("y", "501"))]
    table, flows = verdict.by_cause(rest, known)
    assert table["patch"] == {"checks": 2, "flows": 1, "alone": 1}
    assert table["lie"] == {"checks": 1, "flows": 1, "alone": 1}
    assert len(flows) == 2


def test_less_than_was_recorded_is_a_fall():
    recorded = {"cells": {"a": {"okta-flow": {"chosen": {"passed": 2, "cases_passed": 0}, "direct": {"passed": 9}}}}}
    results = {("a", "okta-flow", "chosen"): result(c_1=True, c_2=False), ("a", "okta-flow", "direct"): result(c_1=False)}
    assert verdict.fallen(results, recorded) == ["a okta-flow chosen: 1 checks, recorded 2"]
