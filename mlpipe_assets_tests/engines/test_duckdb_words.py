"""What DuckDB says becomes values: the kind of fault, one line of words, the line of the text and the name."""

import duckdb
import pytest

from mlpipe_assets.engines.duckdb_words import refusal, refused_statement
from mlpipe_assets.engines.refused import Reason


def test_ctrl_c_in_a_query_is_no_fault_of_its_text() -> None:
    with pytest.raises(KeyboardInterrupt):
        refusal(RuntimeError("Query interrupted"), "select 1")  # as DuckDB raises it


def test_the_line_is_kept_however_many_candidates_stand_before_it() -> None:
    error = duckdb.BinderException("Binder Error: No function matches!\n" + "candidate\n" * 200 + "LINE 7: max(k + r)")

    found = refusal(error, "")

    assert (found.line, found.words, len(found.said)) == (7, "No function matches", 800)


def test_a_file_that_a_text_opens_is_named_with_its_line() -> None:
    error = duckdb.PermissionException('Permission Error: Cannot access file "a.csv" - disabled by configuration')

    found = refusal(error, "select *\nfrom 'a.csv'")

    assert (found.reason, found.name, found.line) == (Reason.LEAVES, "a.csv", 2)


@pytest.mark.parametrize(
    ("tables", "said"), [(["orders"], '\nDid you mean "stg.orders"?\n'), (["spend"], "does not exist!\n")]
)
def test_of_tables_only_those_that_were_given_are_suggested(tables: list[str], said: str) -> None:
    error = duckdb.CatalogException(
        'Catalog Error: Table with name ordrs does not exist!\nDid you mean "stg.orders or pg_table"?\nLINE 1: from ordrs'
    )

    found = refused_statement(error, "from ordrs", tables)

    assert said in f"{found}"
    assert "pg_table" not in f"{found}"
