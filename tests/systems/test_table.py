"""ROWS.md is true and whole: every row of every product is shown somewhere, and none is invented."""
import table

SIZES = {"S0": 23, "S1": 34, "S2": 28, "S3": 28, "S4": 27}
ALL = [f"{product}-{number:02}" for product, size in SIZES.items() for number in range(1, size + 1)]


def test_every_row_of_the_pages_is_stated_once_and_in_order():
    rows, headings = table.statements()
    assert list(rows) == ALL
    assert list(headings) == list(SIZES)


def test_every_row_is_shown_by_a_test_a_screen_or_a_decision():
    shown = table.coverage()
    assert [row for row in ALL if not shown[row]] == []


def test_no_row_is_named_that_there_is_not():
    assert sorted(set(table.coverage()) - set(ALL)) == []


def test_every_test_of_a_product_begins_with_its_rows():
    assert [test.name for tree in table.products().values() for test in table.tests_of(tree) if not table.rows_of(test)] == []


def test_the_table_is_what_the_generator_writes():
    assert table.TABLE.read_text() == table.render(), "run tests/systems/table.py"
