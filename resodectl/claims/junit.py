"""Verdicts as JUnit XML, so that CI shows each claim, and each control, as a test."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from xml.etree import ElementTree

from resodectl.claims.estimate import Estimate
from resodectl.claims.verdict import NO_INTERVAL, Verdict
from resodectl.recipe.schema import Band

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NO_ERRORS: Mapping[str, Sequence[str]] = MappingProxyType({})


def junit(verdicts: Mapping[str, Sequence[Verdict]], errors: Mapping[str, Sequence[str]] = _NO_ERRORS) -> bytes:
    """The XML of the verdicts of several recipes, by the recipe's name: a suite a recipe, a case a claim or control.

    Args:
        errors: what failed, a sentence each, by the recipe's name: a case each.
    """
    root = ElementTree.Element("testsuites", name="resodectl")
    for recipe in dict.fromkeys([*verdicts, *errors]):
        of_recipe, of_errors = verdicts.get(recipe, ()), errors.get(recipe, ())
        suite = ElementTree.SubElement(root, "testsuite", name=recipe)
        tests = failures = skipped = 0
        for index, verdict in enumerate(of_recipe):
            name = f"{index + 1} {verdict.claim.claim}: {verdict.claim.says}"
            case = ElementTree.SubElement(suite, "testcase", classname=recipe, name=name)
            tests += 1
            says = f"{verdict.judgement}: {verdict.absent or describe(verdict.estimate, verdict.band)}"
            if verdict.judgement == "no interval" or not verdict.claim.gate:
                ElementTree.SubElement(case, "skipped", message=f"not judged: {says}")
                skipped += 1
            elif verdict.judgement != "holds":
                ElementTree.SubElement(case, "failure", message=says)
                failures += 1
            for number, control in enumerate(verdict.controls, 1):
                which = "control" if len(verdict.controls) == 1 else f"control {number}"
                case = ElementTree.SubElement(suite, "testcase", classname=recipe, name=f"{name} [{which}]")
                tests += 1
                if control.state == "broken":
                    ElementTree.SubElement(case, "failure", message="broken control: the claim does not fail under it")
                    failures += 1
                elif control.state != "breaks":
                    why = {"not run": "run with --controls", "no rows": control.absent, "no interval": NO_INTERVAL}
                    ElementTree.SubElement(case, "skipped", message=why[control.state])
                    skipped += 1
        for number, sentence in enumerate(of_errors, 1):
            case = ElementTree.SubElement(suite, "testcase", classname=recipe, name=f"error {number}")
            ElementTree.SubElement(case, "error", message=sentence)
        counts = {"tests": tests + len(of_errors), "failures": failures, "errors": len(of_errors), "skipped": skipped}
        suite.attrib.update({key: str(count) for key, count in counts.items()})
    return _written(root)


def cases(suites: Mapping[str, Sequence[tuple[str, str]]]) -> bytes:
    """The XML of plain cases by the suite: their names, and why they fail, which is "" where they do not."""
    root = ElementTree.Element("testsuites", name="resodectl")
    for name, of_suite in suites.items():
        counts = {"tests": len(of_suite), "failures": sum(bool(why) for _, why in of_suite), "errors": 0, "skipped": 0}
        suite = ElementTree.SubElement(root, "testsuite", name=name)
        suite.attrib.update({key: str(count) for key, count in counts.items()})
        for case_name, why in of_suite:
            case = ElementTree.SubElement(suite, "testcase", classname=name, name=case_name)
            if why:
                ElementTree.SubElement(case, "failure", message=why)
    return _written(root)


def _written(root: ElementTree.Element) -> bytes:
    for element in root.iter():
        element.attrib.update({key: _NOT_IN_XML.sub("", value) for key, value in element.attrib.items()})
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def describe(estimate: Estimate | None, band: Band) -> str:
    """The estimate with its interval, and the band: `-1.00 [-1.01, -0.99] within [-1.08, -0.92]`.

    >>> describe(Estimate(-1.0, -1.01, -0.99, 8, "student"), Band(low=-1.08, high=None))
    '-1 [-1.01, -0.99] within [-1.08, inf)'
    """
    if estimate is None:
        return "no row of the log is selected"
    if estimate.units == 1:
        return f"{estimate.value:.4g} within {band} ({NO_INTERVAL})"
    interval = f" [{estimate.low:.4g}, {estimate.high:.4g}]" if estimate.units else ""
    return f"{estimate.value:.4g}{interval} within {band}"
