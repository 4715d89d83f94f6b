"""How the values of a sweep are written."""

import pytest

from resodectl.errors import UserError
from resodectl.sweeps.grid import axis, interval


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a=0.25,0.5,1", (0.25, 0.5, 1)),
        ("a=1,0.5", (0.5, 1)),  # numbers are put in order
        ("a=0.1..1.0/10", (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)),
        ("a=-1..1/5", (-1.0, -0.5, 0.0, 0.5, 1.0)),
        ("a=1e-3..1e-1/log/5", (0.001, 0.003162, 0.01, 0.03162, 0.1)),
        ("a=4..256/x2", (4, 8, 16, 32, 64, 128, 256)),
        ("a=4..255/x2", (4, 8, 16, 32, 64, 128)),
        ("a=1..9/5", (1, 3, 5, 7, 9)),
        ("a=1..10/3", (1.0, 5.5, 10.0)),  # all whole, or none
        ("runs.0.lr=0.1,0.2", (0.1, 0.2)),
        ("a=[8, 16],[8, 32]", ([8, 16], [8, 32])),
        ("a=relu, tanh", ("relu", "tanh")),
        ("a={kind: one},{kind: two}", ({"kind": "one"}, {"kind": "two"})),
        ("a=true,false", (True, False)),
        ("a=null,1", (None, 1)),
    ],
)
def test_values_are_read(text: str, values: tuple) -> None:
    found = axis(text)
    assert found.values == values
    assert found.key == text.split("=")[0]
    assert [type(value) for value in found.values] == [type(value) for value in values]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a", "is not of the form key=values"),
        ("a=", "is not of the form key=values"),
        ("=1,2", "is not of the form key=values"),
        ("a=1,,2", "is not valid YAML"),
        ("a=1..2", "after the range stands /count, /log/count or /xfactor"),
        ("a=1..2/3/4", "after the range stands"),
        ("a=1..", "is no list and no range"),
        ("a=1,2..3", "is no list and no range"),
        ("a=2..1/3", "the low end of a range must be below its high end"),
        ("a=1..1/3", "the low end of a range must be below its high end"),
        ("a=x..y/3", "the ends of a range are numbers"),
        ("a=0..1/log/3", "a geometric range begins above 0"),
        ("a=1..2/1", "a whole number from 2 to 1000, not '1'"),
        ("a=1..2/1001", "a whole number from 2 to 1000, not '1001'"),
        ("a=1..8/x1", "the factor is a whole number from 2"),
        ("a=0..8/x2", "is for positive integers"),
        ("a=1.5..8/x2", "is for positive integers"),
        ("a=1,2,1", "the value 1 stands twice"),
        ("a=1..3/1000,2", "a whole number"),
    ],
)
def test_what_is_no_list_of_values_is_refused_in_one_sentence(text: str, says: str) -> None:
    with pytest.raises(UserError) as refused:
        axis(text)
    assert str(refused.value).startswith(f"--over {text}")
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_axis_is_logarithmic_where_its_values_span_a_factor_of_eight() -> None:
    assert axis("a=1..8/x2").geometric
    assert not axis("a=1..7.9/3").geometric
    assert not axis("a=0..8/3").geometric
    assert not axis("a=x,y").geometric


def test_the_interval_of_an_edge() -> None:
    assert interval("lr=1e-3..1") == ("lr", 0.001, 1.0)
    assert interval("depth=4..64") == ("depth", 4, 64)
    for text in ("lr", "lr=1", "lr=1..2/3", "lr=2..1", "=1..2", "lr=a..b"):
        with pytest.raises(UserError, match="--edge"):
            interval(text)
