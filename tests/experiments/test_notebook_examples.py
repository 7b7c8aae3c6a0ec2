"""What docs/measurement.md shows a statistician runs, and answers what it says it answers."""

import doctest
import importlib
import re
from pathlib import Path

import pytest

MANUAL = Path(__file__).resolve().parents[2] / "docs" / "measurement.md"

TABLE_OF_FUNCTIONS = re.findall(r"^\| [^|]+ \| (`(?:experiments|attribution|matrix)\..+) \|$", MANUAL.read_text(), re.M)


def test_the_notebook_examples_of_the_manual_answer_what_they_say():
    text = re.sub(r"^```.*$", "", MANUAL.read_text(), flags=re.M)
    example = doctest.DocTestParser().get_doctest(text, {}, MANUAL.name, str(MANUAL), 0)

    found = doctest.DocTestRunner(verbose=False).run(example)

    assert (found.failed, found.attempted > 15) == (0, True)


def test_the_manual_names_a_function_for_every_question():
    assert len(TABLE_OF_FUNCTIONS) == 12


@pytest.mark.parametrize("cell", TABLE_OF_FUNCTIONS)
def test_every_function_that_the_manual_names_is_there(cell):
    module = ""
    for name in re.findall(r"`([\w.]+)`", cell):
        folder, _, function = name.rpartition(".")
        if folder:
            module = folder if "." in folder else f"{module.rpartition('.')[0]}.{folder}"
        assert callable(getattr(importlib.import_module(f"shopify_upsell.{module}"), function)), name
